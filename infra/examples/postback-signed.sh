# POSTBACK_URL=https://… PROVIDER=acme SECRET=… bash postback-signed.sh user_id=12345 click_id=67890 …
encode() { # percent-encodes every byte except A-Z a-z 0-9 - . _ ~
  local LC_ALL=C text=$1 byte
  while [ -n "$text" ]; do
    byte=${text:0:1} text=${text:1}
    case $byte in [A-Za-z0-9._~-]) printf %s "$byte" ;; *) printf %%%02X "'$byte" | sed 's/F*\(..\)$/\1/' ;; esac
  done
}
query=
for parameter in "$@"; do
  query+="$(encode "${parameter%%=*}")=$(encode "${parameter#*=}")&"
done
signed=$(printf %s "${query}provider=$PROVIDER" | tr '&' '\n' | LC_ALL=C sort -t= -k1,1 | paste -sd '&' -)
signature=$(printf %s "$signed" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/.* //')
curl --silent --show-error --max-time 30 --write-out '\n%{http_code}\n' \
  "$POSTBACK_URL?${query}signature=$signature"
