//! What stands around every page, signing in, and what is said when something went wrong.

use super::Text;

pub(super) const TEXTS: &[Text] = &[
    Text::new("frame.skip", "Skip to the content", "跳到正文"),
    Text::new("frame.navigation", "Pages", "页面导航"),
    Text::new("frame.shop", "Courses", "课程"),
    Text::new("frame.courses", "My courses", "我的课程"),
    Text::new("frame.docs", "API", "接口文档"),
    Text::new("frame.sign_out", "Sign out", "退出"),
    Text::new("frame.other_language", "中文", "English"),
    Text::new("frame.switch_language", "中文: switch to Chinese", "English：切换到英文"),
    Text::new(
        "frame.foot",
        "A payment counts once the payment channel has confirmed it to us, never before.",
        "支付结果以支付渠道向我们确认为准。",
    ),
    Text::new("sign_in.title", "Sign in", "登录"),
    Text::new("sign_in.demo", "This shop is a demo. Use one of its accounts:", "这是演示商店，可使用以下演示账号："),
    Text::new("sign_in.alice", "Sign in as Alice", "以 Alice 登录"),
    Text::new("sign_in.bob", "Sign in as Bob", "以 Bob 登录"),
    Text::new("sign_in.username", "Username", "用户名"),
    Text::new("sign_in.password", "Password", "密码"),
    Text::new("sign_in.submit", "Sign in", "登录"),
    Text::new("sign_in.then_select", "Please sign in, then select the course.", "请先登录，再选择课程。"),
    Text::new("sign_in.then_pay", "Please sign in to pay for the course you selected.", "请先登录，再支付所选课程。"),
    Text::new("sign_in.then_courses", "Please sign in to see your courses.", "请先登录，再查看您的课程。"),
    Text::new(
        "sign_in.again",
        "Your sign-in has ended. Please sign in again; you go on where you were.",
        "登录已失效，请重新登录，随后将继续您刚才的操作。",
    ),
    Text::new("problem.offline", "The server cannot be reached. Please check your connection.", "无法连接服务器，请检查网络连接。"),
    Text::new("problem.unexpected", "Something did not work. Please try again.", "出现问题，请重试。"),
    Text::new("problem.try_again", "Try again", "重试"),
    Text::new("wallet.alipay", "Alipay", "支付宝"),
    Text::new("wallet.wechat", "WeChat Pay", "微信支付"),
    Text::new("wallet.aggregate", "Alipay or WeChat Pay", "支付宝或微信"),
];
