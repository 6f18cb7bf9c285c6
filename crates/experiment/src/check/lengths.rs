//! Lengths and layers of a run file against the model that is to have them.

use optical_encoder::Outline;
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

/// Checks all lengths and the layers of a run file.
pub fn of_run(
    run: &RunFile,
    outline: &Outline,
    findings: &mut Findings,
) -> Result<(), TokenizeError> {
    let (retrieval, distill) = (&run.retrieval, &run.distill);
    for (key, value, role) in [
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
    ] {
        let most = outline.config.maximum_length();
        length(&outline.tokenizer, most, key, value, role, findings)?;
    }
    layers(outline, "distill.layers", distill.layers, findings);
    Ok(())
}
