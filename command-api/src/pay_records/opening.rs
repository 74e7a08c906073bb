//! Sending a buyer's browser to the channel's own page.

use domain::order::{Order, OrderCommand, OrderRejection};
use domain::pay_record::{PayRecord, PayRecordRejection};
use domain::{Decider, PayNo};
use gateway::{FormRequest, GatewayError, PaymentForm};
use uuid::Uuid;

use crate::caller::Caller;
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError};
use crate::service::Commands;
use crate::streams;

impl Commands {
    /// Makes the form with which a browser goes to the channel's page, and answers it once the log holds that it is given
    /// out. Each call signs anew, with the members of the intent; the channel takes them all for the same payment.
    ///
    /// `return_url` is where the channel sends the browser afterwards. Errors: `Order` where the attempt can no longer be
    /// begun; `ChannelRefused` where its members make no form, which ends it.
    pub(crate) async fn open_pay_page(
        &self,
        pay_no: PayNo,
        return_url: String,
        correlation_id: Uuid,
    ) -> Result<PaymentForm, CommandFailure> {
        let stream_id = streams::order(pay_no.order_id());
        let standing = self.orders.load(&stream_id).await?;
        let record = standing.state.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
        let channel = record.issued.as_ref().map(|issued| issued.channel).filter(|channel| channel.takes_form());
        let configured = channel.and_then(|channel| self.ports.channels.get(channel)).ok_or(CommandFailure::ChannelNotConfigured)?;
        let context = Context::of_caller(&Caller::CheckoutLink, correlation_id);
        // Signed before the append and kept back until after it: whatever breaks between the two, no browser has a form
        // that the log does not know of, and no record counts as opened that has none.
        let form = match configured.gateway.form(&form_request(record, return_url)?) {
            Ok(form) => form,
            Err(GatewayError::Refused { code, .. }) => return Err(self.form_refused(&context, pay_no, code).await?),
            Err(error @ GatewayError::Unknown { .. }) => {
                tracing::error!(pay.no = %pay_no, error = &error as &dyn std::error::Error, "no form could be made");
                return Err(error.into());
            }
        };
        let open = OrderCommand::OpenPayRecord { pay_no, now: self.now() };
        self.orders.execute(&stream_id, &context, |order| Order::decide(order, open.clone())).await?;
        Ok(form)
    }

    /// Ends an attempt whose form cannot be made, unless one was given out before.
    async fn form_refused(&self, context: &Context, pay_no: PayNo, code: String) -> Result<CommandFailure, CommandFailure> {
        let refused = OrderCommand::RecordRefused { pay_no, code: code.clone() };
        let stream_id = streams::order(pay_no.order_id());
        match self.orders.execute(&stream_id, context, |order| Order::decide(order, refused.clone())).await {
            Ok(_) | Err(ExecuteError::Rejected(OrderRejection::PayRecord(PayRecordRejection::WrongState))) => {
                Ok(CommandFailure::ChannelRefused { code })
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn form_request(record: &PayRecord, return_url: String) -> Result<FormRequest, CommandFailure> {
    const BROKEN: CommandFailure = CommandFailure::Broken("a pay record for a channel has no request");
    let issued = record.issued.as_ref().ok_or(BROKEN)?;
    let request = issued.request.as_ref().ok_or(BROKEN)?;
    Ok(FormRequest {
        out_trade_no: issued.pay_no.to_string(),
        amount: issued.amount,
        subject: request.subject.clone(),
        product_code: request.product_code.clone(),
        time_expire: request.time_expire,
        notify_url: request.notify_url.clone(),
        return_url,
    })
}

#[cfg(test)]
mod tests;
