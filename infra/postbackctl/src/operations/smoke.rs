//! `postbackctl smoke`: checks a deployment from outside, without AWS credentials. Every postback that it sends is a
//! dry run.

mod probes;
mod raw;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::api::{self, Reply};
use crate::output::say;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Checks the API at this base URL, which the stack's output `ApiUrl` has.
    #[arg(long)]
    url: String,
    /// Checks postbacks of this partner as well. Needs --token.
    #[arg(long, requires = "token")]
    provider: Option<String>,
    /// The token of --provider.
    #[arg(long, requires = "provider", env = "GG3_SMOKE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Checks that this signed click link redirects. Records a click.
    #[arg(long)]
    click_url: Option<String>,
}

const QUERY: &str = "user_id=smoke&click_id=smoke&transaction_id=smoke&currency=USD&amount_decimal=0&dry_run=true";

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let client = api::client()?;
    let base = arguments.url.trim_end_matches('/');
    if !base.starts_with("https://") && !base.starts_with("http://") {
        bail!("--url must be the API's base URL, as in https://abc.execute-api.eu-central-1.amazonaws.com");
    }
    let mut report = Report::default();
    let get = async |path: String| api::send(client.get(format!("{base}{path}"))).await;
    let is_problem = |reply: &Reply, status: u16| {
        reply.status == status && reply.content_type.starts_with("application/problem+json")
    };

    let reply = get(format!("/postback/no-such-partner/no-such-token?{QUERY}")).await;
    report.check("an unknown partner is refused with 401", reply, |reply| is_problem(reply, 401))?;
    let reply = get(format!("/postback/no-such-partner?{QUERY}&signature=00")).await;
    report.check("an unknown signature is refused with 401", reply, |reply| is_problem(reply, 401))?;
    let oversized = format!("/postback/no-such-partner/x?user_id={}", "x".repeat(8200));
    report
        .check("an oversized request is refused", get(oversized).await, |reply| (400..=431).contains(&reply.status))?;
    let reply = get("/click/no-such-partner/nowhere?user_id=1&expires=1&sig=00".to_owned()).await;
    report.check("an unknown link is refused with 404", reply, |reply| is_problem(reply, 404))?;

    let mut probed = "/postback/no-such-partner/x".to_owned();
    if let Some((provider, token)) = arguments.provider.zip(arguments.token) {
        let reply = get(format!("/postback/{provider}/{token}?{QUERY}")).await;
        let good = |reply: &Reply| reply.status == 200 && reply.text("status") == "dry_run";
        report.check("the partner's postback would be accepted", reply, good)?;
        let reply = get(format!("/postback/{provider}/{token}?dry_run=true")).await;
        report.check("an empty postback is refused, every fault named", reply, |reply| is_problem(reply, 400))?;
        let reply = get(format!("/postback/{provider}/{token}x?{QUERY}")).await;
        report.check("the partner's name with another token is refused with 401", reply, |reply| {
            is_problem(reply, 401)
        })?;
        probed = format!("/postback/{provider}/{token}");
    }
    probes::run(base, &probed).await?;
    if let Some(url) = arguments.click_url {
        let reply = api::send(client.get(url)).await;
        report.check("the click link redirects", reply, |reply| reply.status == 302 && reply.location.is_some())?;
    }
    report.finish()
}

#[derive(Debug, Default)]
struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    fn check(&mut self, what: &str, reply: Result<Reply>, good: impl Fn(&Reply) -> bool) -> Result<()> {
        let failure = match reply {
            Ok(reply) if good(&reply) => None,
            Ok(reply) => Some(format!("got {} {}", reply.status, reply.text("title"))),
            Err(fault) => Some(format!("{fault:#}")),
        };
        match failure {
            None => {
                self.passed += 1;
                say!("ok    {what}")?;
            }
            Some(failure) => {
                self.failed += 1;
                say!("FAIL  {what}: {failure}")?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<ExitCode> {
        say!("{} passed, {} failed", self.passed, self.failed)?;
        Ok(if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
