//! API Gateway's payloads against `lambda_http`, with our guard and without it.

mod traps;
