# Set POSTBACK_URL to the URL that you were given; it contains your token.
curl --silent --show-error --max-time 30 --write-out '\n%{http_code}\n' --get "$POSTBACK_URL" \
  --data-urlencode 'user_id=12345' \
  --data-urlencode 'click_id=67890' \
  --data-urlencode 'transaction_id=123123123' \
  --data-urlencode 'currency=USD' \
  --data-urlencode 'amount_decimal=100.00'
