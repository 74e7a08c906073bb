//! The payment guide.

use super::Text;

pub(super) const TEXTS: &[Text] = &[
    Text::new("guide.page", "Choose how to pay", "选择支付方式"),
    Text::new("guide.steps", "Steps", "步骤"),
    Text::new("guide.step_select", "Course selected", "已选课程"),
    Text::new("guide.step_method", "Choose how to pay", "选择支付方式"),
    Text::new("guide.step_pay", "Pay and start", "支付并开始学习"),
    Text::new("guide.selected", "Your selection", "您选择的课程"),
    Text::new("guide.selection_id", "Selection", "选课编号"),
    Text::new("guide.methods", "How would you like to pay?", "请选择支付方式"),
    Text::new("guide.alipay", "Alipay", "支付宝"),
    Text::new("guide.alipay_words", "Scan a code with the Alipay app", "使用支付宝扫码支付"),
    Text::new("guide.wechat", "WeChat Pay", "微信支付"),
    Text::new("guide.wechat_words", "Scan a code with WeChat", "使用微信扫码支付"),
    Text::new("guide.no_way", "This shop takes no online payments at the moment.", "本店暂不支持在线支付。"),
    Text::new(
        "guide.assurance",
        "The price you see is the price you pay. You can go back at any time before you have paid.",
        "所见即所付，无其他费用。支付完成前可随时返回。",
    ),
    Text::new("guide.already_open", "This course is already open for you. There is nothing to pay.", "该课程已为您开通，无需支付。"),
    Text::new("guide.ended", "This selection has ended. Please select the course again.", "该选课已结束，请重新选择课程。"),
    Text::new("guide.to_courses", "Go to my courses", "前往我的课程"),
    Text::new("guide.to_shop", "Back to the courses", "返回课程列表"),
];
