//! What is wrong with one field of the input.

use serde::Serialize;

use crate::language::Language;

/// A field is needed and absent.
pub const REQUIRED: &str = "required";
/// A field is there that nobody reads.
pub const UNKNOWN_FIELD: &str = "unknown_field";
/// A field is there twice.
pub const DUPLICATE_FIELD: &str = "duplicate_field";
/// A value is of another type, for instance a text where a number is needed.
pub const WRONG_TYPE: &str = "wrong_type";
/// A value is none of those that exist.
pub const UNKNOWN_VALUE: &str = "unknown_value";
/// A value has the right type and another form than needed.
pub const MALFORMED: &str = "malformed";
/// A number is below or above what is allowed.
pub const OUT_OF_RANGE: &str = "out_of_range";
/// A text or a list is too short.
pub const TOO_SHORT: &str = "too_short";
/// A text or a list is too long.
pub const TOO_LONG: &str = "too_long";
/// A value is refused for another reason.
pub const INVALID: &str = "invalid";

/// What is wrong with one field of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's path, for instance `items[2].quantity`; empty for the body as a whole.
    pub field: String,
    /// A stable snake_case word, one of the constants of this module where one fits.
    pub code: &'static str,
    /// What people read, in English.
    pub message: String,
}

impl FieldError {
    /// The same in another language: words of this module have a text of their own, others keep their message.
    pub(super) fn in_language(&self, language: Language) -> Self {
        let message = match language {
            Language::En => None,
            Language::Zh => message_zh(self.code).map(str::to_owned),
        };
        Self { message: message.unwrap_or_else(|| self.message.clone()), ..self.clone() }
    }
}

fn message_zh(code: &str) -> Option<&'static str> {
    Some(match code {
        REQUIRED => "缺少必填字段",
        UNKNOWN_FIELD => "未知字段",
        DUPLICATE_FIELD => "字段重复",
        WRONG_TYPE => "类型不正确",
        UNKNOWN_VALUE => "不支持的取值",
        MALFORMED => "格式不正确",
        OUT_OF_RANGE => "超出允许范围",
        TOO_SHORT => "长度过短",
        TOO_LONG => "长度过长",
        INVALID => "取值无效",
        _ => return None,
    })
}
