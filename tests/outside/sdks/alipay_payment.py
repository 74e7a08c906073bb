"""Takes payments through the sandbox's Alipay with the SDK `python-alipay-sdk`, with keys and with certificates: argument 1 is
the sandbox's address."""

import json
import sys
import urllib.parse
import urllib.request

from alipay import AliPay, DCAliPay
from alipay.exceptions import AliPayException

SANDBOX = sys.argv[1]
NOWHERE = "http://127.0.0.1:9/notify"


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SANDBOX + path, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def call(client, method, code="10000", **content):
    """The SDK verifies the signature over the answer's exact text and raises where it does not hold."""
    answer = client.server_api(method, biz_content=content)
    assert answer["code"] == code, answer
    return answer


def life(client, held, number):
    client._gateway = held["gateway_url"]
    asked = {"out_trade_no": number, "total_amount": "199.00", "subject": "编程课程", "product_code": held["product_code"]}
    made = call(client, "alipay.trade.precreate", **asked)
    assert made["qr_code"].startswith(SANDBOX), made
    unknown = call(client, "alipay.trade.query", code="40004", out_trade_no=number)
    assert unknown["sub_code"] == "ACQ.TRADE_NOT_EXIST", unknown

    paid = control(f"/sandbox/trades/{number}/pay", {"notify": "never"})
    told = dict(urllib.parse.parse_qsl(paid["notification"], keep_blank_values=True))
    sign = told.pop("sign")
    assert told["trade_status"] == "TRADE_SUCCESS" and told["total_amount"] == "199.00", told
    assert client.verify(dict(told), sign) and not client.verify({**told, "total_amount": "1.00"}, sign)

    queried = call(client, "alipay.trade.query", out_trade_no=number)
    assert queried["trade_status"] == "TRADE_SUCCESS" and queried["trade_no"] == told["trade_no"], queried
    refunded = call(client, "alipay.trade.refund", out_trade_no=number, refund_amount="30.00", out_request_no="R1")
    assert refunded["fund_change"] == "Y" and refunded["refund_fee"] == "30.00", refunded
    found = call(client, "alipay.trade.fastpay.refund.query", out_trade_no=number, out_request_no="R1")
    assert found["refund_status"] == "REFUND_SUCCESS", found

    page = {"out_trade_no": f"{number}p", "total_amount": "1.00", "subject": "page", "product_code": "FAST_INSTANT_TRADE_PAY"}
    form = client.client_api("alipay.trade.page.pay", biz_content=page)
    with urllib.request.urlopen(f"{held['gateway_url']}?{form}") as cashier:
        assert cashier.geturl().endswith(f"/sandbox/cashier/{number}p"), cashier.geturl()
    call(client, "alipay.trade.close", out_trade_no=f"{number}p")
    assert call(client, "alipay.trade.query", out_trade_no=f"{number}p")["trade_status"] == "TRADE_CLOSED"


held = control("/sandbox/credentials")["alipay"]
named = {"appid": held["app_id"], "app_notify_url": NOWHERE, "app_private_key_string": held["app_private_key"]}
with_keys = AliPay(alipay_public_key_string=held["alipay_public_key"], **named)
life(with_keys, held, "920001")

files = held["certificates"]
with_certificates = DCAliPay(
    app_public_key_cert_string=files["app_certificate"],
    alipay_public_key_cert_string=files["alipay_certificate"],
    alipay_root_cert_string=files["root_certificate"],
    **named,
)
life(with_certificates, held, "920002")

stranger = AliPay(alipay_public_key_string=held["alipay_public_key"], **{**named, "appid": "2021000000000000"})
stranger._gateway = held["gateway_url"]
try:
    call(stranger, "alipay.trade.query", out_trade_no="920001")
    raise AssertionError("another application was let in")
except AliPayException as refusal:
    assert "isv.invalid-app-id" in str(refusal), refusal
print("python-alipay-sdk: done")
