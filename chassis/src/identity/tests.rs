use axum::Router;
use axum::body::Body;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};
use http::header::WWW_AUTHENTICATE;
use http::{Request, Response, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::clock::ManualClock;

struct World {
    clock: Arc<ManualClock>,
    issuer: TokenIssuer,
    verifier: Arc<TokenVerifier>,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_700_000_000, 500_000_000).unwrap()));
    let issuer = TokenIssuer::new(SigningKey::generate().unwrap(), "us", "our-api", clock.clone());
    let verifier = Arc::new(TokenVerifier::new([issuer.key().verifying_key()], "us", "our-api", clock.clone()));
    World { clock, issuer, verifier }
}

impl World {
    fn token(&self) -> String {
        self.issuer.issue("learner-1", &[Role::Buyer]).token.into_inner()
    }

    /// A token with our key and good claims but for what `change` does to them.
    fn changed(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": "us", "aud": "our-api", "sub": "learner-1", "roles": ["buyer"], "exp": 1_700_000_900, "jti": "t1",
        });
        change(&mut claims);
        self.signed(Algorithm::EdDSA, Some(self.issuer.key().key_id()), &claims)
    }

    fn signed(&self, algorithm: Algorithm, key_id: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: key_id.map(str::to_owned), ..Header::new(algorithm) };
        let (ours, secret) = (self.issuer.key(), EncodingKey::from_secret(b"guess"));
        let key = if algorithm == Algorithm::EdDSA { &ours.encoding } else { &secret };
        encode(&header, claims, key).unwrap()
    }

    async fn ask(&self, path: &str, authorization: &[&str]) -> Response<Body> {
        let router = Router::new()
            .route("/me", get(|identity: Identity| async move { identity.subject }))
            .route("/maybe", get(|identity: Option<Identity>| async move { identity.map_or("nobody".to_owned(), |id| id.subject) }))
            .route("/work", get(|identity: Identity| async move { identity.require(Role::Operator) }))
            .with_state(Arc::clone(&self.verifier));
        let request = authorization.iter().fold(Request::get(path), |request, value| request.header(AUTHORIZATION, *value));
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }
}

#[test]
fn a_token_proves_who_it_was_issued_to() {
    let world = world();
    let issued = world.issuer.issue("learner-1", &[Role::Buyer, Role::Operator]);
    let identity = world.verifier.verify(issued.token.expose()).unwrap();
    assert_eq!(identity.subject, "learner-1");
    assert_eq!(identity.roles, [Role::Buyer, Role::Operator]);
    assert_eq!(identity.token_id, issued.token_id);
    assert_eq!((issued.expires_in_s, issued.expires_at.timestamp()), (900, 1_700_000_900));
}

#[test]
fn a_new_key_is_signed_with_once_it_is_taken_and_an_old_one_is_good_while_it_is_known() {
    let world = world();
    let (old, next) = (world.issuer.key(), SigningKey::generate().unwrap());
    let before = world.token();
    world.verifier.know([next.verifying_key(), old.verifying_key()]);
    let next_id = next.verifying_key();
    world.issuer.sign_with(next);
    let after = world.token();
    assert_eq!(world.issuer.key().key_id(), next_id.key_id());
    assert!(world.verifier.verify(&before).is_ok() && world.verifier.verify(&after).is_ok());
    world.verifier.know([next_id]);
    assert_eq!(world.verifier.verify(&before), Err(TokenError::UnknownKey));
    assert!(world.verifier.verify(&after).is_ok());
}

#[test]
fn two_tokens_never_share_an_id() {
    let world = world();
    assert_ne!(world.issuer.issue("a", &[]).token_id, world.issuer.issue("a", &[]).token_id);
}

#[test]
fn a_token_is_good_to_its_end_and_the_leeway_after_it() {
    let world = world();
    let token = world.token();
    world.clock.advance(TOKEN_LIFE + LEEWAY - TimeDelta::seconds(1));
    assert!(world.verifier.verify(&token).is_ok());
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(world.verifier.verify(&token), Err(TokenError::Expired));
}

#[test]
fn a_token_may_be_given_another_life() {
    let world = world();
    let issued = world.issuer.issue_for("learner-1", &[], TimeDelta::hours(8));
    world.clock.advance(TimeDelta::hours(7));
    assert!(world.verifier.verify(issued.token.expose()).is_ok());
}

#[test]
fn a_token_whose_time_has_not_begun_is_refused() {
    let world = world();
    let token = world.changed(|claims| claims["nbf"] = json!(1_700_000_060));
    assert_eq!(world.verifier.verify(&token), Err(TokenError::NotYetValid));
    world.clock.advance(TimeDelta::seconds(60));
    assert!(world.verifier.verify(&token).is_ok());
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let world = world();
    let issuer = world.changed(|claims| claims["iss"] = json!("them"));
    assert_eq!(world.verifier.verify(&issuer), Err(TokenError::WrongIssuer));
    for audience in [json!("their-api"), json!(["their-api"]), json!([])] {
        let token = world.changed(|claims| claims["aud"] = audience);
        assert_eq!(world.verifier.verify(&token), Err(TokenError::WrongAudience));
    }
    let several = world.changed(|claims| claims["aud"] = json!(["their-api", "our-api"]));
    assert!(world.verifier.verify(&several).is_ok());
}

#[test]
fn a_token_without_a_needed_claim_is_refused() {
    let world = world();
    for claim in ["iss", "aud", "sub", "exp", "jti"] {
        let token = world.changed(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
        assert_eq!(world.verifier.verify(&token), Err(TokenError::Malformed), "{claim}");
    }
    let nobody = world.changed(|claims| claims["sub"] = json!(""));
    assert_eq!(world.verifier.verify(&nobody), Err(TokenError::Malformed));
}

#[test]
fn an_unknown_role_allows_nothing() {
    let world = world();
    let token = world.changed(|claims| claims["roles"] = json!(["king", "auditor"]));
    assert_eq!(world.verifier.verify(&token).unwrap().roles, [Role::Auditor]);
    let none = world.changed(|claims| drop(claims.as_object_mut().unwrap().remove("roles")));
    assert!(world.verifier.verify(&none).unwrap().roles.is_empty());
}

#[test]
fn a_changed_payload_is_a_forgery() {
    let world = world();
    let token = world.token();
    let parts: Vec<&str> = token.split('.').collect();
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap().replace("buyer", "operator");
    let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(payload), parts[2]);
    assert_eq!(world.verifier.verify(&forged), Err(TokenError::Forged));
}

#[test]
fn another_algorithm_or_none_is_refused() {
    let world = world();
    let claims = json!({"iss": "us", "aud": "our-api", "sub": "x", "exp": 1_700_000_900, "jti": "t1"});
    let symmetric = world.signed(Algorithm::HS256, Some(world.issuer.key().key_id()), &claims);
    assert_eq!(world.verifier.verify(&symmetric), Err(TokenError::Malformed));
    let header = format!(r#"{{"alg":"none","kid":"{}"}}"#, world.issuer.key().key_id());
    let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
    assert_eq!(world.verifier.verify(&unsigned), Err(TokenError::Malformed));
}

#[test]
fn a_key_that_is_not_known_or_not_named_is_refused() {
    let (ours, theirs) = (world(), world());
    assert_eq!(ours.verifier.verify(&theirs.token()), Err(TokenError::UnknownKey));
    let claims = json!({"iss": "us", "aud": "our-api", "sub": "x", "exp": 1_700_000_900, "jti": "t1"});
    assert_eq!(ours.verifier.verify(&ours.signed(Algorithm::EdDSA, None, &claims)), Err(TokenError::UnknownKey));
    let posing = theirs.signed(Algorithm::EdDSA, Some(ours.issuer.key().key_id()), &claims);
    assert_eq!(ours.verifier.verify(&posing), Err(TokenError::Forged));
}

#[test]
fn several_keys_are_good_at_once() {
    let (old, new) = (world(), world());
    let keys = [old.issuer.key().verifying_key(), new.issuer.key().verifying_key()];
    let verifier = TokenVerifier::new(keys, "us", "our-api", old.clock.clone());
    assert!(verifier.verify(&old.token()).is_ok() && verifier.verify(&new.token()).is_ok());
}

#[test]
fn what_is_no_token_is_refused() {
    let world = world();
    for text in ["", "a", "a.b.c", "..", &"x".repeat(100_000), &format!("{}=", world.token())] {
        assert_eq!(world.verifier.verify(text), Err(TokenError::Malformed));
    }
}

struct Revoked(&'static str);

impl RevokedTokens for Revoked {
    fn is_revoked(&self, token_id: &str) -> bool {
        token_id == self.0
    }
}

#[test]
fn a_revoked_token_is_refused_and_others_are_not() {
    let world = world();
    let keys = [world.issuer.key().verifying_key()];
    let verifier = TokenVerifier::new(keys, "us", "our-api", world.clock.clone()).with_revoked(Arc::new(Revoked("t1")));
    assert_eq!(verifier.verify(&world.changed(|_| {})), Err(TokenError::Revoked));
    assert!(verifier.verify(&world.changed(|claims| claims["jti"] = json!("t2"))).is_ok());
}

#[tokio::test]
async fn a_request_with_a_good_token_has_an_identity() {
    let world = world();
    for scheme in ["Bearer", "bearer"] {
        assert_eq!(world.ask("/me", &[&format!("{scheme} {}", world.token())]).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_request_without_a_good_token_has_none() {
    let world = world();
    let good = format!("Bearer {}", world.token());
    let bare = world.ask("/me", &[]).await;
    assert_eq!((bare.status(), &bare.headers()[WWW_AUTHENTICATE]), (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap()));
    for shown in [&["Basic dTpw"][..], &["Bearer"], &["Bearer x.y.z"], &[&good, &good], &[&world.token()]] {
        let response = world.ask("/me", shown).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{shown:?}");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"", "{shown:?}");
    }
}

#[tokio::test]
async fn where_a_token_is_optional_a_bad_one_is_still_refused() {
    let world = world();
    assert_eq!(world.ask("/maybe", &[]).await.status(), StatusCode::OK);
    assert_eq!(world.ask("/maybe", &["Bearer x"]).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_role_that_is_missing_forbids() {
    let world = world();
    let operator = world.issuer.issue("worker-1", &[Role::Buyer, Role::Operator]).token.into_inner();
    assert_eq!(world.ask("/work", &[&format!("Bearer {operator}")]).await.status(), StatusCode::OK);
    assert_eq!(world.ask("/work", &[&format!("Bearer {}", world.token())]).await.status(), StatusCode::FORBIDDEN);
}

#[test]
fn any_of_several_roles_is_enough() {
    let identity = Identity { subject: "x".to_owned(), roles: vec![Role::Auditor], token_id: "t".to_owned() };
    assert!(identity.require_any(&[Role::Operator, Role::Auditor]).is_ok());
    assert_eq!(identity.require_any(&[Role::Operator, Role::Buyer]).unwrap_err().code, Code::Forbidden);
    assert!(identity.require_any(&[]).is_err());
}

#[test]
fn every_role_has_a_word_of_its_own_that_is_also_its_json() {
    for role in Role::ALL {
        assert_eq!(Role::parse(role.word()), Some(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.word());
    }
    assert_eq!(Role::parse("Buyer"), None);
}
