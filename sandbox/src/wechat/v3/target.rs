//! What an address asks for.

use axum::http::{Method, StatusCode, Uri};

use super::super::BASE;
use super::super::order::Product;
use super::answer::Refusal;
use crate::fault::Operation;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Prepay(Product),
    Query(Number),
    /// By the merchant's number.
    Close(String),
    Refund,
    /// By the merchant's number of the refund.
    QueryRefund(String),
    Certificates,
    Bill(BillKind),
    Download,
}

/// By which number an order is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Merchants(String),
    Own(String),
}

/// A file of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BillKind {
    Trade,
    Fund,
}

impl Target {
    /// The word of the control routes for it; none for what no fault can hit.
    pub(super) fn operation(&self) -> Option<Operation> {
        match self {
            Self::Prepay(_) => Some(Operation::Precreate),
            Self::Query(_) => Some(Operation::Query),
            Self::Close(_) => Some(Operation::Close),
            Self::Refund => Some(Operation::Refund),
            Self::QueryRefund(_) => Some(Operation::QueryRefund),
            Self::Bill(_) | Self::Download => Some(Operation::DownloadStatement),
            Self::Certificates => None,
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Prepay(_) | Self::Close(_) | Self::Refund => Method::POST,
            _ => Method::GET,
        }
    }
}

/// Finds what is asked.
pub(super) fn find(method: &Method, uri: &Uri) -> Result<Target, Refusal> {
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "接口不存在");
    let path = uri.path().strip_prefix(BASE).and_then(|path| path.strip_prefix("/v3/")).ok_or_else(unknown)?;
    let segments: Vec<String> = path.split('/').map(decoded).collect::<Option<_>>().ok_or_else(unknown)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let target = match segments.as_slice() {
        ["pay", "transactions", "native"] => Target::Prepay(Product::Native),
        ["pay", "transactions", "h5"] => Target::Prepay(Product::H5),
        ["pay", "transactions", "jsapi"] => Target::Prepay(Product::Jsapi),
        ["pay", "transactions", "app"] => Target::Prepay(Product::App),
        ["pay", "transactions", "out-trade-no", number] => Target::Query(Number::Merchants((*number).to_owned())),
        ["pay", "transactions", "id", number] => Target::Query(Number::Own((*number).to_owned())),
        ["pay", "transactions", "out-trade-no", number, "close"] => Target::Close((*number).to_owned()),
        ["refund", "domestic", "refunds"] => Target::Refund,
        ["refund", "domestic", "refunds", number] => Target::QueryRefund((*number).to_owned()),
        ["certificates"] => Target::Certificates,
        ["bill", "tradebill"] => Target::Bill(BillKind::Trade),
        ["bill", "fundflowbill"] => Target::Bill(BillKind::Fund),
        ["billdownload", "file"] => Target::Download,
        _ => return Err(unknown()),
    };
    if target.method() == *method {
        Ok(target)
    } else {
        Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "INVALID_REQUEST", "请求方法不支持"))
    }
}

/// A segment of a path without its percent signs; none if it is no text.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> Result<Target, StatusCode> {
        find(method, &format!("/sandbox/wechat{path}").parse().unwrap()).map_err(|refusal| refusal.status)
    }

    #[test]
    fn addresses_are_known_by_path_and_method() {
        assert_eq!(found(&Method::POST, "/v3/pay/transactions/native"), Ok(Target::Prepay(Product::Native)));
        assert_eq!(found(&Method::POST, "/v3/pay/transactions/out-trade-no/1/close"), Ok(Target::Close("1".to_owned())));
        let escaped = found(&Method::GET, "/v3/pay/transactions/out-trade-no/a%7Cb%2A?mchid=1");
        assert_eq!(escaped, Ok(Target::Query(Number::Merchants("a|b*".to_owned()))));
        assert_eq!(found(&Method::GET, "/v3/bill/fundflowbill?x=1"), Ok(Target::Bill(BillKind::Fund)));
        assert_eq!(found(&Method::GET, "/v3/pay/transactions/native"), Err(StatusCode::METHOD_NOT_ALLOWED));
        for path in ["/v3/pay", "/v3/pay/transactions/native/", "/v3/refund/domestic/refunds/1/2", "/v3/x/%zz", "/v3/x/%"] {
            assert_eq!(found(&Method::GET, path), Err(StatusCode::NOT_FOUND), "{path}");
        }
    }
}
