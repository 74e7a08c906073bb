use super::*;
use domain::pay_record::PayRecordStatus;
use gateway::Operation::Form;
use gateway::PaymentForm;

struct Page {
    world: World,
    api: Api,
    pay_no: domain::PayNo,
}

impl Page {
    /// An order whose checkout chose `alipay_page`.
    async fn chosen() -> Self {
        let world = World::new().await;
        let api = Api::over(&world, world.with_channel(Channel::AlipayPage));
        let order_id = world.order().await;
        let path = format!("{}/pay-records", api.links.checkout_path(order_id));
        let answer = api.post(&path).json(&json!({ "channel": "alipay_page" })).answer().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["qr_content"]), (201, &Value::Null));
        Self { pay_no: answer.json()["pay_no"].as_str().unwrap().parse().unwrap(), world, api }
    }

    async fn get(&self, agent: &str) -> Answer {
        let path = format!("/pay/{}", token(&self.api.links.pay_url(self.pay_no)));
        self.api.get(&path).with("user-agent", agent).with("accept-language", "zh").answer().await
    }

    fn checkout(&self) -> String {
        self.api.links.checkout_path(self.pay_no.order_id())
    }
}

const DESKTOP: &str = "Mozilla/5.0 (X11; Linux x86_64)";

#[tokio::test]
async fn a_browser_gets_the_form_that_brings_it_to_the_channel() {
    let page = Page::chosen().await;
    page.world.channel.forms(Ok(PaymentForm {
        action: "https://page.alipay.example/gateway.do?sign=1&x=2".to_owned(),
        fields: vec![("biz_content".to_owned(), "{\"a\":1}".to_owned())],
    }));
    let shown = page.get(DESKTOP).await;
    assert_eq!((shown.status.as_u16(), shown.header("content-language")), (200, Some("zh")));
    assert!(shown.text.contains(r#"action="https://page.alipay.example/gateway.do?sign=1&amp;x=2""#), "{}", shown.text);
    assert!(shown.text.contains(r#"name="biz_content" value="{&quot;a&quot;:1}""#));
    assert!(shown.text.contains(&page.checkout()), "and a way back");
    let policy = shown.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action https://page.alipay.example https://*.alipay.example;"), "{policy}");
    let types = page.world.order_types(page.pay_no.order_id()).await;
    assert_eq!(types, ["OrderCreated", "PayRecordIssued", "PayRecordOpened"]);
    let opened = page.world.events(&streams::order(page.pay_no.order_id())).await.remove(2);
    assert_eq!(opened.metadata.actor, "checkout-link");
    let request = page.world.channel.form_requests().remove(0);
    assert_eq!(page.api.links.open_return(token(&request.return_url)), Some(page.pay_no.order_id()));
}

#[tokio::test]
async fn wechats_browser_is_shown_the_other_ways_to_pay() {
    let page = Page::chosen().await;
    let shown = page.get("Mozilla/5.0 MicroMessenger/8.0").await;
    assert_eq!((shown.status.as_u16(), shown.header("location")), (303, Some(page.checkout().as_str())));
    assert_eq!(page.world.channel.form_requests(), []);
}

#[tokio::test]
async fn what_cannot_be_paid_any_more_gets_no_form() {
    let page = Page::chosen().await;
    page.world.clock.advance(ORDER_LIFE - Order::LEAST_TIME_TO_PAY);
    let late = page.get(DESKTOP).await;
    assert_eq!((late.status.as_u16(), late.text), (410, format!("over {}", page.checkout())));

    let page = Page::chosen().await;
    page.get(DESKTOP).await;
    page.world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    page.api.post(&format!("{}/sync", page.checkout())).answer().await;
    assert_eq!(page.get(DESKTOP).await.text, "already paid");

    let page = Page::chosen().await;
    page.world.commands.cancel_order(&alice(), page.pay_no.order_id(), None, None, None, CORRELATION).await.unwrap();
    let cancelled = page.get(DESKTOP).await;
    assert_eq!((cancelled.status.as_u16(), cancelled.header("location")), (303, Some(page.checkout().as_str())));

    let page = Page::chosen().await;
    page.world.attempt(page.pay_no.order_id()).await;
    assert_eq!(page.get(DESKTOP).await.status, 410, "another channel was chosen");
    assert_eq!(page.world.channel.form_requests(), []);
}

#[tokio::test]
async fn a_form_that_cannot_be_made_leads_back_to_the_checkout_or_is_told() {
    let page = Page::chosen().await;
    page.world.channel.forms(Err(unknown(Form)));
    assert_eq!(page.get(DESKTOP).await.problem(), (503, "channel_unavailable".to_owned()));
    page.world.log.next("order-", Fault::Unavailable);
    assert_eq!(page.get(DESKTOP).await.problem(), (503, "store_unavailable".to_owned()));
    assert_eq!(page.world.order_types(page.pay_no.order_id()).await, ["OrderCreated", "PayRecordIssued"]);
    page.world.channel.forms(Err(refused(Form)));
    let refused = page.get(DESKTOP).await;
    assert_eq!((refused.status.as_u16(), refused.header("location")), (303, Some(page.checkout().as_str())));
    assert_eq!(page.world.status(page.pay_no).await, PayRecordStatus::Failed);
}

#[tokio::test]
async fn an_order_that_ends_while_the_form_is_made_is_told() {
    let page = Page::chosen().await;
    let (other, order_id) = (page.world.other_process(), page.pay_no.order_id());
    page.world.log.meanwhile("order-", async move {
        other.cancel_order(&alice(), order_id, None, None, None, CORRELATION).await.unwrap();
    });
    let ended = page.get(DESKTOP).await;
    assert_eq!((ended.status.as_u16(), ended.header("location")), (303, Some(page.checkout().as_str())));
}

#[tokio::test]
async fn coming_back_asks_the_channel_and_believes_nothing_else() {
    let page = Page::chosen().await;
    let path = format!("/return/{}?trade_status=TRADE_SUCCESS&total_amount=1", token(&page.api.links.return_url(page.pay_no.order_id())));
    let back = async || page.api.get(&path).answer().await.text;
    let shown = format!("returned {}", page.checkout());
    assert_eq!(back().await, shown);
    assert_eq!(page.world.channel.asked(), [], "no buyer was sent there yet");
    page.get(DESKTOP).await;
    page.world.channel.asked();
    assert_eq!(back().await, shown);
    assert_eq!(page.world.channel.asked(), [(Query, "01".to_owned())]);
    assert_eq!(page.world.status(page.pay_no).await, PayRecordStatus::Pending);
    page.world.channel.queries(Err(unknown(Query)));
    assert_eq!(back().await, shown, "a channel that says nothing is no reason to show nothing");
    page.world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    assert_eq!(back().await, shown);
    assert_eq!(page.world.load(page.pay_no.order_id()).await.status, OrderStatus::Paid);
    page.world.channel.asked();
    assert_eq!(back().await, shown);
    assert_eq!(page.world.channel.asked(), [], "it is known");
    page.world.log.fail_reads(1);
    assert_eq!(back().await, shown, "the page asks on by itself");
}

#[tokio::test]
async fn a_channel_that_takes_long_does_not_keep_the_browser() {
    let page = Page::chosen().await;
    page.get(DESKTOP).await;
    page.world.channel.meanwhile(std::future::pending());
    let path = format!("/return/{}", token(&page.api.links.return_url(page.pay_no.order_id())));
    assert_eq!(page.api.get(&path).answer().await.text, format!("returned {}", page.checkout()));
}

#[tokio::test]
async fn i_have_paid_does_not_ask_about_a_page_that_nobody_opened() {
    let page = Page::chosen().await;
    let path = format!("{}/sync", page.checkout());
    assert_eq!(page.api.post(&path).answer().await.json()["status"], "awaiting_payment");
    assert_eq!(page.world.channel.asked(), []);
}

impl Page {
    /// An order whose checkout chose `alipay_wap`.
    async fn for_a_phone() -> Self {
        let world = World::new().await;
        let api = Api::over(&world, world.with_channel(Channel::AlipayWap));
        let order_id = world.order().await;
        let path = format!("{}/pay-records", api.links.checkout_path(order_id));
        let answer = api.post(&path).json(&json!({ "channel": "alipay_wap" })).answer().await;
        Self { pay_no: answer.json()["pay_no"].as_str().unwrap().parse().unwrap(), world, api }
    }
}

#[tokio::test]
async fn a_phone_s_form_is_for_phones() {
    let phone = "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36";
    for agent in [phone, &format!("{phone} AlipayClient/10.6.0")] {
        let page = Page::for_a_phone().await;
        let shown = page.get(agent).await;
        assert_eq!((shown.status.as_u16(), page.world.channel.form_requests().len()), (200, 1), "{agent}");
        assert!(shown.text.contains("<form"), "{agent}");
    }
    for agent in [DESKTOP, &format!("{phone} MicroMessenger/8.0")] {
        let page = Page::for_a_phone().await;
        let shown = page.get(agent).await;
        assert_eq!((shown.status.as_u16(), shown.header("location")), (303, Some(page.checkout().as_str())), "{agent}");
        assert_eq!(page.world.channel.form_requests(), [], "{agent}");
    }
}
