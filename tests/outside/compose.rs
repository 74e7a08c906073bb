//! docker-compose.yml and what belongs to it, as far as it can be held to the truth without a container engine: what it says
//! is asked of the program and of the servers themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

use super::harness::workspace::{self, root};
use super::harness::{binary, nats};

/// What stands for a password that is made on the spot.
const PASSWORD: &str = "p0123456789abcdef";

fn compose() -> Yaml {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let mut documents = YamlLoader::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1);
    merged(&documents.remove(0))
}

/// The same with the members that `<<` takes from elsewhere in their places; what stands in the mapping itself wins.
fn merged(value: &Yaml) -> Yaml {
    match value {
        Yaml::Hash(members) => {
            let mut all = yaml_rust2::yaml::Hash::new();
            for (name, member) in members {
                if name.as_str() == Some("<<") {
                    for (name, member) in merged(member).into_hash().unwrap() {
                        all.entry(name).or_insert(member);
                    }
                } else {
                    all.insert(name.clone(), merged(member));
                }
            }
            Yaml::Hash(all)
        }
        Yaml::Array(items) => Yaml::Array(items.iter().map(merged).collect()),
        other => other.clone(),
    }
}

/// A service by its name.
struct Service {
    name: String,
    content: Yaml,
}

impl Service {
    fn all(compose: &Yaml) -> Vec<Self> {
        let services = compose["services"].as_hash().unwrap();
        services.iter().map(|(name, content)| Self { name: name.as_str().unwrap().to_owned(), content: content.clone() }).collect()
    }

    fn is_ours(&self) -> bool {
        self.content["image"].as_str() == Some("paystream")
    }

    fn command(&self) -> Vec<String> {
        self.content["command"].as_vec().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    }

    /// Its variables, with a password wherever one is taken from outside.
    fn environment(&self) -> BTreeMap<String, String> {
        let members = self.content["environment"].as_hash().unwrap();
        members.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), filled(value.as_str().unwrap()))).collect()
    }

    fn strings(&self, member: &str) -> Vec<String> {
        let items = self.content[member].as_vec().map(Vec::as_slice).unwrap_or_default();
        items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    }

    fn members(&self, member: &str) -> Vec<String> {
        let members = self.content[member].as_hash().into_iter().flatten();
        members.map(|(name, _)| name.as_str().unwrap().to_owned()).collect()
    }
}

/// A value with what comes from outside filled in. All of it must be wanted: nothing secret has a value by itself.
fn filled(value: &str) -> String {
    let mut text = value.to_owned();
    while let Some((before, rest)) = text.split_once("${") {
        let (name, after) = rest.split_once('}').unwrap();
        assert!(name.contains(":?"), "${{{name}}} may be left out");
        text = format!("{before}{PASSWORD}{after}");
    }
    text
}

#[test]
fn every_command_line_and_variable_of_ours_is_taken_by_the_program() {
    let services = Service::all(&compose());
    let ours: Vec<_> = services.iter().filter(|service| service.is_ours()).collect();
    let mut roles = BTreeSet::new();
    for service in &ours {
        let folder = workspace::temporary("compose");
        let command = service.command();
        let environment = service.environment();
        // The configuration whole, with the roles of this service; nothing of it is reached.
        let mut serve = vec!["serve".to_owned(), "--check".to_owned()];
        if command[0] == "serve" {
            serve.extend_from_slice(&command[1..]);
            roles.extend(command[2].split(',').map(str::to_owned));
        } else {
            let shown = run(folder.path(), &environment, &[command.as_slice(), &["--help".to_owned()]].concat());
            assert!(shown.status.success(), "{}: {command:?} is no command line", service.name);
        }
        let checked = run(folder.path(), &environment, &serve);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "{}: {said}", service.name);
        assert!(!said.contains(PASSWORD));
    }
    let expected = ["command-api", "process-managers", "projections", "query-api", "relay", "sandbox"];
    assert_eq!(roles, expected.into_iter().map(str::to_owned).collect(), "every role is played");
    // And the check can fail.
    let mut environment = ours[0].environment();
    environment.insert("PAYSTREAM_EVENT_STOR".to_owned(), String::new());
    assert!(!run(workspace::temporary("compose").path(), &environment, &["serve".to_owned(), "--check".to_owned()]).status.success());
}

fn run(folder: &std::path::Path, environment: &BTreeMap<String, String>, arguments: &[String]) -> std::process::Output {
    let mut command = Command::new(binary::paystream());
    command.current_dir(folder).env_clear().envs(environment).args(arguments).output().unwrap()
}

#[test]
fn the_images_variables_and_health_check_are_taken_by_the_program_and_its_user_is_not_root() {
    let text = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let joined = text.replace("\\\n", " ");
    let line = |word: &str| joined.lines().filter(|line| line.starts_with(word)).collect::<Vec<_>>();
    let variables = line("ENV ")[0].split_whitespace().skip(1).map(|pair| pair.split_once('=').unwrap());
    let environment: BTreeMap<_, _> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert!(environment["PAYSTREAM_LISTEN"].starts_with("0.0.0.0:"));
    let folder = workspace::temporary("image");
    assert!(run(folder.path(), &environment, &["serve".to_owned(), "--check".to_owned()]).status.success());
    assert_eq!(line("USER "), ["USER nonroot"]);
    assert!(line("HEALTHCHECK ")[0].ends_with(r#"CMD ["/usr/local/bin/paystream", "ready"]"#));
    assert!(run(folder.path(), &BTreeMap::new(), &["ready".to_owned(), "--help".to_owned()]).status.success());
}

#[test]
fn every_service_names_what_is_there_and_says_whether_it_is_well() {
    let compose = compose();
    let services = Service::all(&compose);
    let names: BTreeSet<_> = services.iter().map(|service| service.name.as_str()).collect();
    let volumes: BTreeSet<_> = compose["volumes"].as_hash().unwrap().keys().map(|name| name.as_str().unwrap()).collect();
    for service in &services {
        for needed in service.members("depends_on") {
            assert!(names.contains(needed.as_str()), "{} waits for {needed}", service.name);
        }
        for volume in service.strings("volumes") {
            let source = volume.split(':').next().unwrap();
            let is_there = if source.starts_with('.') { root().join(source).exists() } else { volumes.contains(source) };
            assert!(is_there, "{}: {volume}", service.name);
        }
        let ends_by_itself = service.content["restart"].as_str() == Some("no");
        let says = service.is_ours() || !service.content["healthcheck"]["test"].is_badvalue();
        assert!(ends_by_itself || says, "{} does not say whether it is well", service.name);
        // What is secret comes from outside.
        for (name, value) in service.content["environment"].as_hash().unwrap_or(&yaml_rust2::yaml::Hash::new()) {
            if name.as_str().unwrap().contains("PASSWORD") {
                assert!(value.as_str().unwrap().starts_with("${"), "{}: {name:?}", service.name);
            }
        }
    }
    assert_eq!(services.iter().filter(|service| service.name.starts_with("nats-")).count(), 3);
    for two in ["command-api", "query-api", "projections", "process-managers"] {
        assert_eq!(compose["services"][two]["deploy"]["replicas"].as_i64(), Some(2), "{two}");
    }
    assert!(!compose["services"]["kurrentdb"]["profiles"].is_badvalue(), "KurrentDB is there for whoever asks for it");
}

#[test]
fn the_proxy_passes_on_to_services_that_are_there() {
    let services = Service::all(&compose());
    let text = std::fs::read_to_string(root().join("docker/nginx.conf")).unwrap();
    let mut upstreams = BTreeSet::new();
    for line in text.lines().filter(|line| line.trim_start().starts_with("upstream ")) {
        let server = line.split_once("server ").unwrap().1.split_whitespace().next().unwrap();
        let (host, port) = server.split_once(':').unwrap();
        assert!(services.iter().any(|service| service.name == host && service.is_ours()), "{line}");
        assert_eq!(port, "8080");
        upstreams.insert(host.to_owned());
    }
    assert_eq!(upstreams, ["command-api", "query-api", "sandbox"].map(str::to_owned).into());
}

/// A `location` of the proxy: what is said of a path, and of all that begin with it unless it is exact.
#[derive(Debug)]
struct Location {
    path: String,
    is_exact: bool,
    denies: bool,
}

/// All of them. One with a regular expression would have another precedence, and there is none.
fn locations(text: &str) -> Vec<Location> {
    let mut locations = Vec::new();
    for part in text.split("\n    location ").skip(1) {
        let (head, rest) = part.split_once('{').unwrap();
        let body = rest.split_once('}').unwrap().0;
        assert!(!body.contains('{'), "a block in the location {head}");
        let (is_exact, path) = match head.split_whitespace().collect::<Vec<_>>()[..] {
            [path] => (false, path),
            ["=", path] => (true, path),
            _ => panic!("neither a path nor all that begins with it: location {head}"),
        };
        let denies = body.contains("return ");
        assert!(denies || body.contains("proxy_pass http://$where;"), "{head} does neither");
        locations.push(Location { path: path.to_owned(), is_exact, denies });
    }
    assert_eq!(locations.len(), text.lines().filter(|line| line.trim_start().starts_with("location ")).count());
    locations
}

/// Whether nobody is asked for `path`: the exact location counts, else the longest that it begins with.
fn is_denied(locations: &[Location], path: &str) -> bool {
    let covering =
        locations.iter().filter(|location| if location.is_exact { location.path == path } else { path.starts_with(&location.path) });
    covering.max_by_key(|location| (location.is_exact, location.path.len())).is_none_or(|location| location.denies)
}

/// Paths that the map names, each with where it sends them: for an expression one of each alternative.
fn named_paths(text: &str) -> Vec<(String, String)> {
    let map = text.split_once("map $uri $where {").unwrap().1.split_once('}').unwrap().0;
    let mut paths = Vec::new();
    for line in map.lines().map(str::trim).filter(|line| line.starts_with('~')) {
        let (expression, target) = line.trim_end_matches(';').split_once(' ').unwrap();
        let prefix = expression.strip_prefix("~^").unwrap_or_else(|| panic!("{expression} is not about how a path begins"));
        let mut made = vec![String::new()];
        let mut rest = prefix;
        while let Some((before, group)) = rest.split_once('(') {
            let (alternatives, after) = group.split_once(')').unwrap();
            made = alternatives.split('|').flat_map(|word| made.iter().map(move |path| format!("{path}{before}{word}"))).collect();
            rest = after;
        }
        for path in made {
            let path = format!("{path}{rest}").replace("[^/]+", "some");
            let path = path.strip_suffix('$').map_or_else(|| format!("{path}more"), str::to_owned);
            assert!(path.chars().all(|one| one.is_ascii_alphanumeric() || "/-".contains(one)), "{expression} gives {path}");
            paths.push((path, target.to_owned()));
        }
    }
    paths
}

/// What the map sends somewhere and a location denies.
fn named_and_denied(text: &str) -> Vec<String> {
    let locations = locations(text);
    named_paths(text).into_iter().map(|(path, _)| path).filter(|path| is_denied(&locations, path)).collect()
}

#[test]
fn the_proxy_denies_nothing_that_it_sends_somewhere_by_name() {
    let text = std::fs::read_to_string(root().join("docker/nginx.conf")).unwrap();
    let named = named_paths(&text);
    for (path, target) in [
        ("/checkout/more", "command_api"),
        ("/wechat/more", "command_api"),
        ("/api/v1/operations/reconciliations", "command_api"),
        ("/api/v1/products/some/wechat-qr", "command_api"),
        ("/sandbox/more", "sandbox"),
    ] {
        assert!(named.contains(&(path.to_owned(), target.to_owned())), "{path} is not among {named:?}");
    }
    assert_eq!(named_and_denied(&text), [""; 0]);
    // What each process tells of itself, and does to itself, is for those who run it.
    for path in ["/metrics", "/api/v1/operations/views/orders/rebuild"] {
        assert!(is_denied(&locations(&text), path), "{path} is open to the world");
    }
    // And the check can fail: by how a path begins, and by the whole of it.
    for location in ["/api/v1/operations/", "= /api/v1/operations/reconciliations"] {
        let denied = named_and_denied(&format!("{text}\n    location {location} {{ return 404; }}\n"));
        assert_eq!(denied, ["/api/v1/operations/reconciliations"], "{location}");
    }
}

#[test]
fn the_configuration_of_nats_is_taken_by_nats_server_and_flushes_each_message() {
    let compose = compose();
    for name in ["nats-1", "nats-2", "nats-3"] {
        let service = Service::all(&compose).into_iter().find(|service| service.name == name).unwrap();
        let file = root().join("docker/nats.conf");
        let mut command = Command::new(nats::program());
        let output = command.env_clear().envs(service.environment()).arg("-t").arg("-c").arg(&file).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("nats://{name}:6222")) && text.contains("sync_interval: always"));
    }
}
