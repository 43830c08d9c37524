<?php
// SECRET=whsec_… php webhook.php WEBHOOK-ID WEBHOOK-TIMESTAMP WEBHOOK-SIGNATURE [NOW] < payload

/**
 * Verifies a signature. `$payload` is a POST's body, or a GET's path and query in double quotes, exactly as received:
 * `'"' . $_SERVER['REQUEST_URI'] . '"'`.
 */
function isOurs(string $secret, string $id, string $timestamp, string $signatures, string $payload, ?int $now = null): bool
{
    if (!preg_match('/^\d+$/D', $timestamp) || abs(($now ?? time()) - (int) $timestamp) > 300) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret));
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$payload", $key, true));
    foreach (explode(' ', $signatures) as $one) {
        if (hash_equals($expected, $one)) {
            return true;
        }
    }
    return false;
}

[, $id, $timestamp, $signatures] = $argv;
$now = isset($argv[4]) ? (int) $argv[4] : null;
echo isOurs(getenv('SECRET'), $id, $timestamp, $signatures, file_get_contents('php://stdin'), $now) ? 'ours' : 'not ours', "\n";
