use http::HeaderValue;
use http_body_util::BodyExt;

use super::*;

fn names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(name, _)| *name).chain([TEXTS])
}

fn ask(name: &str, query: Option<&str>, if_none_match: Option<&str>) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(etag) = if_none_match {
        headers.insert(IF_NONE_MATCH, HeaderValue::from_str(etag).unwrap());
    }
    answer(name, query, &headers)
}

async fn body(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The version that a page's own addresses carry.
fn current() -> String {
    address(TEXTS).split_once('?').unwrap().1.to_owned()
}

#[test]
fn every_file_of_the_folder_is_served() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let mut on_disk: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut served: Vec<_> = SOURCES.iter().map(|(name, _)| (*name).to_owned()).collect();
    on_disk.sort();
    served.sort();
    assert_eq!(served, on_disk);
}

#[tokio::test]
async fn every_file_has_its_type_a_tag_and_a_body() {
    for name in names() {
        let response = ask(name, None, None);
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let wanted = match name.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("no type is known for .{other}"),
        };
        assert_eq!(response.headers()[CONTENT_TYPE], wanted, "{name}");
        let etag = response.headers()[ETAG].to_str().unwrap();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "{name}: {etag}");
        assert!(body(response).await.len() > 50, "{name}");
    }
}

#[test]
fn an_address_of_this_version_is_kept_for_ever_and_any_other_is_asked_for_again() {
    for (query, wanted) in [(Some(current()), FOR_EVER), (Some("v=older".to_owned()), ASK_AGAIN), (None, ASK_AGAIN)] {
        let response = ask("base.css", query.as_deref(), None);
        assert_eq!(response.headers()[CACHE_CONTROL], wanted, "{query:?}");
    }
}

#[tokio::test]
async fn a_client_that_has_the_file_is_told_so_without_a_body() {
    let etag = ask("base.css", None, None).headers()[ETAG].to_str().unwrap().to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let response = ask("base.css", None, Some(&known));
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(response.headers()[ETAG], etag.as_str());
        assert_eq!(body(response).await, "");
    }
    assert_eq!(ask("base.css", None, Some("\"other\"")).status(), StatusCode::OK);
}

#[test]
fn what_is_not_there_is_not_found() {
    for name in ["", "nothing.js", "BASE.CSS", "../Cargo.toml", "base.css/"] {
        assert_eq!(ask(name, None, None).status(), StatusCode::NOT_FOUND, "{name}");
    }
}

#[tokio::test]
async fn modules_import_each_other_by_version_and_only_what_exists() {
    for name in names().filter(|name| is_module(name)) {
        let module = body(ask(name, None, None)).await;
        for import in module.lines().filter(|line| line.starts_with("import ")) {
            let from = import.split(" from \"").nth(1).unwrap_or_else(|| panic!("{name}: {import}"));
            let file = from.trim_end().trim_end_matches("\";");
            let (path, version) = file.split_once('?').unwrap_or_else(|| panic!("{name}: {import} is not known"));
            assert_eq!(version, current(), "{name}: {import}");
            assert!(names().any(|known| path == format!("./{known}")), "{name}: {import}");
        }
        assert!(!module.contains("import("), "{name} imports what a page cannot name beforehand");
    }
}

#[test]
fn what_a_page_fetches_beforehand_is_all_that_its_module_imports() {
    let modules = modules_of("return.js");
    assert_eq!(modules[0], "return.js");
    for import in ["dom.js", "i18n.js", TEXTS, "watch.js", "api.js", "session.js"] {
        assert_eq!(modules.iter().filter(|name| **name == import).count(), 1, "{import}");
    }
    assert!(!modules.contains(&"shop.js"));
}

#[test]
fn every_module_is_reached_from_a_page() {
    let entries = ["shop.js", "guide.js", "courses.js", "checkout.js", "return.js", "outcome.js", "docs.js"];
    let reached: Vec<_> = entries.into_iter().flat_map(modules_of).collect();
    for name in names().filter(|name| is_module(name) && *name != "language.js") {
        assert!(reached.contains(&name), "{name} is imported by nobody");
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    for (name, content) in SOURCES {
        let own = content.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "@import", "url(", "\"//", "'//"] {
            assert!(!own.contains(outside), "{name} holds {outside}");
        }
    }
}

#[test]
fn no_module_writes_html_or_runs_text_or_makes_ids_numbers() {
    for (name, content) in SOURCES.iter().filter(|(name, _)| is_module(name)) {
        for danger in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "parseFloat", "toFixed"] {
            assert!(!content.contains(danger), "{name} uses {danger}");
        }
        for line in content.lines().filter(|line| line.contains("Number(")) {
            assert!(line.contains("Number(seconds)"), "{name}: {line}");
        }
    }
}
