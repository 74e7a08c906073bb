"use strict";
(() => {
  const payment = document.getElementById("payment");
  const parameters = JSON.parse(payment.dataset.parameters);
  // What WeChat says here proves nothing: the page that follows asks.
  const over = (result) => {
    if (result.err_msg !== "get_brand_wcpay_request:cancel") location.assign(payment.dataset.return);
  };
  const pay = () => WeixinJSBridge.invoke("getBrandWCPayRequest", parameters, over);
  document.getElementById("pay").addEventListener("click", () => {
    if (typeof WeixinJSBridge !== "undefined") pay();
  });
  if (typeof WeixinJSBridge === "undefined") document.addEventListener("WeixinJSBridgeReady", pay, false);
  else pay();
})();