//! The shop and the learner's own courses.

use super::Text;

pub(super) const TEXTS: &[Text] = &[
    Text::new("shop.title", "Learn something that lasts", "学一门受用长久的课"),
    Text::new(
        "shop.lead",
        "Select a course. Free ones open at once, paid ones as soon as your payment is confirmed.",
        "选择课程：免费课程即刻开通，付费课程在支付确认后立即开通。",
    ),
    Text::new("shop.courses", "Courses", "全部课程"),
    Text::new("shop.free", "Free", "免费"),
    Text::new("shop.select", "Select course", "选择课程"),
    Text::new("shop.select_free", "Start for free", "免费学习"),
    Text::new("shop.owned", "In my courses", "已在我的课程"),
    Text::new("shop.none", "There are no courses yet.", "暂无课程。"),
    Text::new("shop.more", "Show more", "显示更多"),
    Text::new("courses.title", "My courses", "我的课程"),
    Text::new("courses.lead", "What you have selected or bought, and how long it is open.", "您已选择或购买的课程及其有效期。"),
    Text::new("courses.table", "My course table", "我的课程表"),
    Text::new("courses.course", "Course", "课程"),
    Text::new("courses.order", "Order", "订单号"),
    Text::new("courses.opened_at", "Opened", "开通时间"),
    Text::new("courses.ends_at", "Open until", "有效期至"),
    Text::new("courses.free", "Free", "免费"),
    Text::new("courses.no_end", "No end", "长期有效"),
    Text::new("courses.opened", "The course is open. Enjoy it.", "课程已开通，祝学习愉快。"),
    Text::new("courses.none", "There is no course in your table yet.", "您的课程表中还没有课程。"),
    Text::new("courses.to_shop", "See all courses", "查看全部课程"),
];
