<?php
// POSTBACK_URL=https://… php postback-token.php user_id=12345 click_id=67890 transaction_id=1 currency=USD amount_decimal=1.00

/** Returns the status and the body. After 429, 5xx or no answer, send the same call again, with growing pauses. */
function send(string $url, array $parameters): array
{
    $query = http_build_query($parameters, '', '&', PHP_QUERY_RFC3986);
    $options = ['http' => ['timeout' => 30, 'ignore_errors' => true]];
    $answer = fopen("$url?$query", 'r', false, stream_context_create($options));
    $status = explode(' ', stream_get_meta_data($answer)['wrapper_data'][0])[1];
    return [$status, stream_get_contents($answer)];
}

$parameters = [];
foreach (array_slice($argv, 1) as $argument) {
    [$name, $value] = explode('=', $argument, 2);
    $parameters[$name] = $value;
}
echo implode(' ', send(getenv('POSTBACK_URL'), $parameters)), "\n";
