//! Tests that the proxy passes the same bytes on both sides.

use tests::{proxy::Proxy, within_patience};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Holds a request like a signed request of an SDK. `Host` differs from the host to which the client connects, and
/// header names have mixed case.
const REQUEST: &str = "POST /a%2Fb?x=%7B&y=+ HTTP/1.1\r\n\
    Host: dynamodb.us-east-1.amazonaws.com\r\n\
    X-Amz-Target: DynamoDB_20120810.PutItem\r\n\
    authorization: AWS4-HMAC-SHA256 Credential=test, SignedHeaders=host;x-amz-date, Signature=00ff\r\n\
    x-amz-user-agent: aws-sdk-rust/1.3\r\n\
    Content-Length: 16\r\n\r\n{\"a\":  \"\\u00e9\"}";

const ANSWER: &str = "HTTP/1.1 200 OK\r\n\
    Server: Server\r\n\
    Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\
    x-amzn-RequestId: ABC\r\n\
    X-Amz-CRC32: 2745614147\r\n\
    Content-Length: 2\r\n\r\n{}";

#[tokio::test]
async fn requests_and_answers_pass_unchanged_on_one_connection() {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(&format!("http://{}", service.local_addr().unwrap())).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let mut accepted = None;
    for _ in 0..3 {
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        if accepted.is_none() {
            // Only the first round accepts a connection. If the proxy opened a second connection, nobody would accept
            // it, and the test would time out.
            accepted = Some(service.accept().await.unwrap().0);
        }
        let upstream = accepted.as_mut().unwrap();
        assert_eq!(read(upstream, REQUEST.len()).await, REQUEST);
        upstream.write_all(ANSWER.as_bytes()).await.unwrap();
        assert_eq!(read(&mut client, ANSWER.len()).await, ANSWER);
    }
}

#[tokio::test]
async fn a_call_that_the_service_drops_is_not_sent_again() {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(&format!("http://{}", service.local_addr().unwrap())).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let (mut upstream, _) = service.accept().await.unwrap();
    read(&mut upstream, REQUEST.len()).await;
    drop(upstream);
    assert_eq!(within_patience("the client's connection ends", client.read(&mut [0])).await.unwrap(), 0);
    proxy.settled().await;
    tokio::select! {
        biased;
        _ = service.accept() => panic!("the proxy has sent the call again"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(proxy.calls().len(), 1);
}

async fn read(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    within_patience("the expected bytes arrive", stream.read_exact(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}
