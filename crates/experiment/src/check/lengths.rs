//! Lengths and layers of a run file against the model that is to have them.

use optical_encoder::Outline;
use optical_evaluation::DocumentReader;
use optical_tokenize::{Role, TokenizeError, Tokenizer};

use crate::Findings;
use crate::RunFile;

/// Finds lengths that leave a text no token, or are more than the model reads.
pub fn length(
    tokenizer: &Tokenizer,
    most: usize,
    key: &str,
    value: usize,
    role: Role,
    findings: &mut Findings,
) -> Result<(), TokenizeError> {
    // Zero is told by the settings themselves.
    let least = tokenizer.least_length(role)?;
    if 0 < value && value < least {
        findings.fault(format!(
            "{key} = {value}, expected at least {least}: a token of the text beside the {} that the model \
             puts around it",
            least - 1
        ));
    }
    if most < value {
        findings.fault(format!(
            "{key} = {value}, expected at most {most}, the positions of the model"
        ));
    }
    Ok(())
}

/// Finds more layers than the model has.
pub fn layers(outline: &Outline, key: &str, value: usize, findings: &mut Findings) {
    let most = outline.config.num_hidden_layers;
    if most < value {
        findings.fault(format!(
            "{key} = {value}, expected at most {most}, the layers of the model"
        ));
    }
}

/// Checks all lengths and the layers of a run file against its teacher and what its students begin as.
pub fn of_run(
    run: &RunFile,
    [teacher, student]: [Option<&Outline>; 2],
    findings: &mut Findings,
) -> Result<(), TokenizeError> {
    let (retrieval, distill) = (&run.retrieval, &run.distill);
    let mut keys = vec![
        (
            "retrieval.query_length",
            retrieval.query_length,
            Role::Query,
        ),
        (
            "retrieval.document_length",
            retrieval.document_length,
            Role::Document,
        ),
        (
            "distill.maximum_length",
            distill.maximum_length,
            Role::Query,
        ),
    ];
    if let Some(own) = &run.student {
        let key = "student.english.maximum_length";
        keys.push((key, own.english.maximum_length, Role::Query));
    }
    let own = student.filter(|_| run.student_model() != run.model);
    let reads_documents = retrieval.documents == DocumentReader::Student;
    for (outline, is_reader) in [(teacher, true), (own, reads_documents)] {
        let Some(outline) = outline else { continue };
        let most = outline.config.maximum_length();
        let those = keys
            .iter()
            .filter(|(.., role)| is_reader || *role == Role::Query);
        for &(key, value, role) in those {
            length(&outline.tokenizer, most, key, value, role, findings)?;
        }
    }
    if let (Some(teacher), Some(asked)) = (teacher, distill.layers) {
        layers(teacher, "distill.layers", asked, findings);
    }
    if let (Some(student), Some(own)) = (student, &run.student) {
        if let Some(fault) = own.layers.fault(&student.config) {
            findings.fault(fault);
        }
        let has = own.layers.of(student.config.num_hidden_layers).len();
        for (table, frozen) in [
            ("distill", distill.frozen_layers),
            ("student.english", own.english.frozen_layers),
        ] {
            if has < frozen {
                findings.fault(format!(
                    "{table}.frozen_layers = {frozen}, expected at most {has}, the layers of the student"
                ));
            }
        }
    }
    Ok(())
}
