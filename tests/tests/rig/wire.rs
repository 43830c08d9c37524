//! What passes the proxy is the same bytes on both sides.

use tests::{proxy::Proxy, within_patience};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// As an SDK signs it: for a host that is not the one it connects to, with names in cases of its own.
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
async fn requests_and_answers_pass_byte_for_byte_on_one_connection_that_is_kept() {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(&format!("http://{}", service.local_addr().unwrap())).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let mut accepted = None;
    for _ in 0..3 {
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        if accepted.is_none() {
            // Only once: a second connection would find nobody who accepts it, and the test would run out of patience.
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
        _ = service.accept() => panic!("the proxy should not have tried again"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(proxy.calls().len(), 1);
}

async fn read(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    within_patience("so many bytes arrive", stream.read_exact(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}
