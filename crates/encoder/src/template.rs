//! The template by which a tokenizer puts special tokens around a text.
//!
//! The library of tokenizers takes it unchecked, and panics at the first text where it names what is
//! not there.

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    post_processor: Value,
}

/// Checks that the template of a `tokenizer.json` names only special tokens that the file has, and
/// no second text; what else is wrong with the file is for its reader to say.
///
/// # Errors
/// Says what it names.
pub(crate) fn check(json: &[u8]) -> Result<(), String> {
    match serde_json::from_slice::<File>(json) {
        Ok(file) => check_processor(&file.post_processor),
        Err(_) => Ok(()),
    }
}

fn check_processor(processor: &Value) -> Result<(), String> {
    let mut within = processor["processors"].as_array().into_iter().flatten();
    within.try_for_each(check_processor)?;
    for piece in processor["single"].as_array().into_iter().flatten() {
        let known = &processor["special_tokens"];
        if let Some(id) = id_of(&piece["SpecialToken"]).as_str()
            && known.get(id).is_none()
        {
            return Err(format!(
                "post_processor.single names {id:?}, expected one of its special_tokens"
            ));
        }
        let sequence = id_of(&piece["Sequence"]);
        if sequence == "B" {
            return Err(format!(
                "post_processor.single names the text {sequence}, expected \"A\""
            ));
        }
    }
    Ok(())
}

/// Returns the first field of a piece, whose fields may be a list too.
fn id_of(piece: &Value) -> &Value {
    match piece {
        Value::Array(fields) => fields.first().unwrap_or(&Value::Null),
        _ => &piece["id"],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(special: &str, sequence: &str) -> Result<(), String> {
        let template = json!({
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": special, "type_id": 0}},
                {"Sequence": {"id": sequence, "type_id": 0}}],
            "pair": [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}},
        });
        let both = json!({"type": "Sequence", "processors": [{"type": "ByteLevel"}, template]});
        let of =
            |processor: &Value| check(json!({"post_processor": processor}).to_string().as_bytes());
        assert_eq!(of(&template), of(&both));
        of(&template)
    }

    #[test]
    fn a_template_names_what_is_there() {
        assert_eq!(checked("[CLS]", "A"), Ok(()));
        let reason = checked("[CLX]", "A").unwrap_err();
        assert!(reason.contains("single names \"[CLX]\""), "{reason}");
        let reason = checked("[CLS]", "B").unwrap_err();
        assert!(reason.contains("the text \"B\""), "{reason}");
        for other in ["{}", "", "[", r#"{"post_processor": 3}"#] {
            assert_eq!(check(other.as_bytes()), Ok(()));
        }
    }
}
