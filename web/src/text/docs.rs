//! The API reader.

use super::Text;

pub(super) const TEXTS: &[Text] = &[
    Text::new("docs.page", "API reference", "接口文档"),
    Text::new("docs.filter", "Search", "搜索"),
    Text::new("docs.contents", "Operations", "接口列表"),
    Text::new("docs.nothing", "No operation matches.", "没有匹配的接口。"),
    Text::new("docs.raw", "The description itself: openapi.json", "原始描述文件：openapi.json"),
    Text::new("docs.parameters", "Parameters", "参数"),
    Text::new("docs.body", "Request body", "请求体"),
    Text::new("docs.responses", "Responses", "响应"),
    Text::new("docs.members", "Members", "字段"),
    Text::new("docs.headers", "Headers", "响应头"),
    Text::new("docs.required", "required", "必填"),
    Text::new("docs.try", "Try it", "试一试"),
    Text::new("docs.copy", "Copy", "复制"),
    Text::new("docs.copied", "Copied", "已复制"),
    Text::new("docs.needs_token", "Needs a bearer token.", "需要访问令牌（Bearer Token）。"),
    Text::new("docs.needs_nothing", "Needs no token.", "无需访问令牌。"),
];
