<?php
// POSTBACK_URL=https://… PROVIDER=acme SECRET=… php postback-signed.php user_id=12345 click_id=67890 …

/** Returns the signature of these parameters. Send it with them, as `signature`. */
function sign(array $parameters, string $provider, string $secret): string
{
    $encoded = [];
    foreach ($parameters + ['provider' => $provider] as $name => $value) {
        $encoded[rawurlencode($name)] = rawurlencode($value);
    }
    ksort($encoded, SORT_STRING);
    $pairs = array_map(fn($name, $value) => "$name=$value", array_keys($encoded), $encoded);
    return hash_hmac('sha256', implode('&', $pairs), $secret);
}

/** Returns the status and the body. After 429, 5xx or no answer, send the same call again, with growing pauses. */
function send(string $url, array $parameters, string $provider, string $secret): array
{
    $query = http_build_query($parameters + ['signature' => sign($parameters, $provider, $secret)], '', '&', PHP_QUERY_RFC3986);
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
echo implode(' ', send(getenv('POSTBACK_URL'), $parameters, getenv('PROVIDER'), getenv('SECRET'))), "\n";
