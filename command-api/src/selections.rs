//! Choosing courses.

use domain::course_selection::{Charge, CourseSelected, CourseSelection};
use domain::idempotency::Intent;
use domain::{BuyerId, ProductId, SelectionId};
use storefront::catalogue::ProductKind;
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::creation::Created;
use crate::failure::CommandFailure;
use crate::handler::{Context, Standing};
use crate::orders::invalid;
use crate::service::Commands;
use crate::streams;

impl Commands {
    /// Selects a course for a buyer, or answers the buyer's live selection of it.
    pub async fn select_course(
        &self,
        buyer_id: &BuyerId,
        course_id: &ProductId,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<(Created, Standing<CourseSelection>), CommandFailure> {
        let context = Context::of_caller(&Caller::Buyer(buyer_id.clone()), correlation_id);
        let created = self.create(&context, key, self.selection_draft(buyer_id, course_id)).await?;
        let selection_id: SelectionId = created.resource_id.parse().map_err(|_| CommandFailure::Broken("a selection's number is none"))?;
        let standing = self.selections.load(&streams::course_selection(selection_id)).await?;
        Ok((created, standing))
    }

    async fn selection_draft(&self, buyer_id: &BuyerId, course_id: &ProductId) -> Result<Intent, CommandFailure> {
        let product = self.on_sale(course_id, "course_id").await?;
        if product.kind != ProductKind::Course {
            return Err(invalid("course_id", "not_a_course", "This product is not a course."));
        }
        let now = self.now();
        Ok(Intent::CourseSelection(CourseSelected {
            selection_id: self.ports.order_ids.next_selection_id(now).await?,
            buyer_id: buyer_id.clone(),
            course_id: course_id.clone(),
            title: product.title,
            charge: if product.price.is_zero() { Charge::Free } else { Charge::Paid },
            price_amount: product.price.minor_units(),
            currency: product.price.currency(),
            price_version: product.price_version,
            starts_at: product.starts_at,
            valid_days: product.valid_days,
            selected_at: now,
        }))
    }
}
