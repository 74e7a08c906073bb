use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, or_null};

/// Course selections and the course table.
pub(super) fn group() -> Group {
    Group {
        tag: "Course selections",
        about: "A buyer selects a course; a paid one is opened by its order's payment and then stands in the course table, until all that \
             was paid goes back.",
        schemas: vec![
            ("CourseSelectionRequest", schema::request("Which course", &[("course_id", course_id())], &[])),
            ("CourseSelectionAnswer", answered()),
            ("CourseSelection", selection()),
            ("Course", course()),
            ("CourseTable", schema::page("A page of the course table", "Course")),
        ],
        operations: vec![
            Operation::post("/api/v1/course-selections", "selectCourse", "Select a course")
                .about("Selecting a course again, while its selection is unpaid or active, answers that selection.")
                .roles(&[Role::Buyer])
                .command()
                .body("CourseSelectionRequest")
                .done(201, "The new selection.", "CourseSelectionAnswer")
                .done(200, "The live selection of the same course.", "CourseSelectionAnswer")
                .problems(&[Code::NotFound]),
            Operation::get("/api/v1/course-selections/{selection_id}", "showCourseSelection", "One course selection")
                .roles(&[Role::Buyer])
                .in_path("selection_id", selection_id())
                .of_views()
                .json(200, "The selection.", "CourseSelection")
                .with_header(200, "ETag", schema::text("The revision of its stream, in quotes", "\"0\"")),
            Operation::get("/api/v1/course-table", "listCourses", "The caller's courses")
                .about("The courses that were opened for the caller, by payment or because they are free, the newest first.")
                .roles(&[Role::Buyer])
                .of_views()
                .paged()
                .json(200, "A page of courses.", "CourseTable"),
        ],
    }
}

fn course_id() -> Value {
    schema::text("The course, a product of the catalogue", "course-rust")
}

fn selection_id() -> Value {
    schema::digits("The selection's number", "331284905317990400")
}

fn charge() -> Value {
    let mut charge = schema::word("Whether the course costs something", &["free", "paid"]);
    charge["examples"] = json!(["paid"]);
    charge
}

fn status() -> Value {
    schema::word(
        "Whether the course may be used; it has ended when its time is over or its money went back",
        &["unpaid", "active", "ended"],
    )
}

fn answered() -> Value {
    schema::answer(
        "A course selection as its command answers it",
        &[
            ("selection_id", selection_id()),
            ("course_id", course_id()),
            ("charge", charge()),
            ("status", status()),
            ("price_amount", schema::amount("Its price", 19_900)),
            ("price_text", schema::amount_text("199.00")),
            ("currency", schema::currency()),
        ],
        &[],
    )
}

fn selection() -> Value {
    let no_order =
        or_null(schema::digits("The order whose payment opened it; null while unpaid and where it is free", ""), Some(Value::Null));
    schema::answer(
        "A course selection",
        &[
            ("selection_id", selection_id()),
            ("course_id", course_id()),
            ("title", schema::text("The course's title when it was selected", "Rust from the start")),
            ("charge", charge()),
            ("status", status()),
            ("price_amount", schema::amount("Its price when it was selected", 19_900)),
            ("price_text", schema::amount_text("199.00")),
            ("currency", schema::currency()),
            ("order_id", no_order),
            ("selected_at", schema::time("When it was selected", "2026-07-20T08:00:00Z")),
            ("opened_at", or_null(schema::time("When it was opened; null while unpaid", ""), Some(Value::Null))),
            ("starts_at", or_null(schema::time("From when on the course may be used; null while that is open", ""), Some(Value::Null))),
            (
                "ends_at",
                or_null(
                    schema::time("Until when, or when its money went back; null without an end and while unpaid", ""),
                    Some(Value::Null),
                ),
            ),
        ],
        &[],
    )
}

fn course() -> Value {
    let order_id = schema::digits("The order whose payment opened it; null where it is free", "331284905322184704");
    schema::answer(
        "A course in the course table",
        &[
            ("selection_id", selection_id()),
            ("course_id", course_id()),
            ("title", schema::text("The course's title when it was selected", "Rust from the start")),
            ("order_id", or_null(order_id, None)),
            ("opened_at", schema::time("When it was opened", "2026-07-20T08:01:30Z")),
            ("starts_at", schema::time("From when on it may be used", "2026-07-20T08:01:30Z")),
            ("ends_at", or_null(schema::time("Until when; null without an end", "2027-07-20T08:01:30Z"), None)),
        ],
        &[],
    )
}
