"""Takes a payment through the sandbox's WeChat Pay with the SDK `wechatpayv3`: argument 1 is the sandbox's address."""

import gzip
import hashlib
import json
import sys
import urllib.request
from datetime import datetime, timedelta, timezone

from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core

SANDBOX = sys.argv[1]
NOWHERE = "http://127.0.0.1:9/notify"


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SANDBOX + path, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def done(answer, status=200):
    assert answer[0] == status, answer
    return json.loads(answer[1]) if answer[1] else None


def merchant(held, public_key):
    """The SDK with the public key, or with platform certificates that it fetches itself when it is made."""
    make, base_url = Core.__init__, held["base_url"]

    def elsewhere(self, *arguments, **named):
        # The SDK's address is fixed in this member, which it sets before anything is asked.
        type(self)._gate_way = property(lambda _: base_url, lambda *_: None)
        make(self, *arguments, **named)

    Core.__init__ = elsewhere
    try:
        return WeChatPay(
            wechatpay_type=WeChatPayType.NATIVE,
            mchid=held["mchid"],
            appid=held["appid"],
            private_key=held["merchant_private_key"],
            cert_serial_no=held["merchant_serial"],
            apiv3_key=held["api_v3_key"],
            notify_url=NOWHERE,
            public_key=held["public_key"] if public_key else None,
            public_key_id=held["public_key_id"] if public_key else None,
        )
    finally:
        Core.__init__ = make


def life(pay, number, signed_by):
    ordered = done(pay.pay(description="编程课程", out_trade_no=number, amount={"total": 19900}))
    assert ordered["code_url"].startswith(SANDBOX), ordered
    assert done(pay.query(out_trade_no=number))["trade_state"] == "NOTPAY"
    control("/sandbox/wechat/settings", {"notifications_signed_by": signed_by})
    paid = control(f"/sandbox/trades/{number}/pay", {"notify": "never"})
    told = pay.callback(paid["notification_headers"], paid["notification"])
    assert told["event_type"] == "TRANSACTION.SUCCESS" and told["resource"]["out_trade_no"] == number, told
    assert done(pay.query(out_trade_no=number)) == told["resource"]
    assert done(pay.query(transaction_id=told["resource"]["transaction_id"]))["trade_state"] == "SUCCESS"
    amount = {"refund": 100, "total": 19900, "currency": "CNY"}
    assert done(pay.refund(out_refund_no=f"{number}R1", out_trade_no=number, amount=amount))["status"] == "PROCESSING"
    assert done(pay.query_refund(f"{number}R1"))["status"] == "SUCCESS"
    refunded = control(f"/sandbox/trades/{number}")
    told = pay.callback(refunded["notification_headers"], refunded["notification"])
    assert told["event_type"] == "REFUND.SUCCESS" and told["resource"]["out_refund_no"] == f"{number}R1", told

    assert done(pay.pay(description="另一个", out_trade_no=f"{number}b", amount={"total": 1}))["code_url"]
    assert pay.close(out_trade_no=f"{number}b")[0] == 204
    assert done(pay.query(out_trade_no=f"{number}b"))["trade_state"] == "CLOSED"
    assert pay.query(out_trade_no=f"{number}c")[0] == 404


def bills(pay, numbers):
    """The clock is moved by a day and a half; the SDK signs with the machine's, so it is told what time it is."""
    now = datetime.fromisoformat(control("/sandbox/clock")["now"].replace("Z", "+00:00"))
    day = now.astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%d")
    offset = control("/sandbox/clock", {"advance_ms": 36 * 3600 * 1000})["offset_ms"]
    from wechatpayv3 import utils

    real = utils.time.time
    utils.time.time = lambda: real() + offset / 1000
    bill = done(pay.trade_bill(bill_date=day))
    status, file = pay.download_bill(bill["download_url"])
    assert status == 200, status
    text = gzip.decompress(file)
    assert hashlib.sha1(text).hexdigest() == bill["hash_value"]
    assert all(f"`{number}," in text.decode("utf-8-sig") for number in numbers)


held = control("/sandbox/credentials")["wechat"]
with_key = merchant(held, public_key=True)
life(with_key, "910001", "public_key")
life(merchant(held, public_key=False), "910002", "platform_certificate")
bills(with_key, ["910001", "910002"])
print("wechatpayv3: done")
