"""`mlproj webhooks`: other programs are told of what happens in a store."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Annotated
from urllib.parse import urlsplit

import typer

from mlproj import server_wiring, wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.webhooks import (
    deliveries_page,
    delivery_document,
    webhook_document,
    webhooks_page,
)
from mlproj.cli.secrets import read_secret
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import say
from mlproj.cli.webhook_keeper import HOOKS, all_of, experiment_id, keeper, named, refuse_far
from mlproj.errors import RUN_FAILED, UsageError
from mlproj.model.webhooks import CROSSED, EVENTS
from mlproj.server.wire.values import Empty
from mlproj.server.wire.webhooks import (
    AddWebhook,
    ChangeWebhook,
    Deliveries,
    ListDeliveries,
    NamedWebhook,
    OneOfOurs,
    Retried,
    RetryDeliveries,
    Tested,
    TryWebhook,
)
from mlproj.words import counted

app = typer.Typer(
    help="Tell other programs of what happens in the store.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_NAME = re.compile(r"[^a-zA-Z0-9._-]+")
_LONGEST_NAME = 63

WebhookArgument = Annotated[
    str, typer.Argument(metavar="WEBHOOK", help="Its name, its id, or how that begins.")
]
SecretOption = Annotated[
    bool,
    typer.Option("--secret-from-stdin", help="Sign what is sent by a secret: asked for, or a line read."),
]
PrivateOption = Annotated[
    bool,
    typer.Option(
        "--allow-private",
        envvar="MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS",
        help="Addresses of this machine and its network, too, and HTTP to this machine.",
    ),
]


@app.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it is told, by POST: `https://…`.")],
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="EVENT", help=f"Repeatable: {', '.join(EVENTS)}."),
    ] = None,
    when: Annotated[
        str | None,
        typer.Option("--when", metavar="CONDITION", help="What a metric comes to: 'rmse > 0.5'."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="NAME", help="Of its runs alone.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Of this registered model alone.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What it is called; else as its host.")
    ] = None,
    description: Annotated[str, typer.Option("--description", metavar="TEXT")] = "",
    secret_from_stdin: SecretOption = False,
    allow_private: PrivateOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Have an address told of events from now on.

    A server over the store sends them; without one, `mlproj webhooks deliver` does.
    """
    events = tuple(dict.fromkeys(on or ()))
    if when is not None and CROSSED not in events:
        events = (*events, CROSSED)
    if not events:
        raise UsageError("a webhook is told of something", hint="name an event with `--on`")
    secret = read_secret("secret") if secret_from_stdin else None
    with keeper(store, private=allow_private, create=True) as kept:
        asked = AddWebhook(
            name=name or _called(url),
            url=url,
            events=events,
            description=description,
            secret=secret,
            experiment_id=None if experiment is None else experiment_id(kept, experiment),
            model=model,
            when=when,
        )
        made = kept.ask("POST", HOOKS, asked, OneOfOurs).webhook
    if as_json:
        print_document({"schema": "mlproj/webhook/1", **webhook_document(made)})
    else:
        print_sheet(webhooks_page([made]))
    return 0


@app.command("list")
def listing(store: StoreOption = None, as_json: JsonOption = False) -> int:
    """List webhooks, the newest first. Secrets are not shown."""
    with keeper(store) as kept:
        found = all_of(kept)
    if as_json:
        told = [webhook_document(each) for each in found]
        print_document({"schema": "mlproj/webhooks/1", "webhooks": told})
        return 0
    print_sheet(webhooks_page(found))
    if not found:
        say("there are no webhooks: `mlproj webhooks add URL --on EVENT` adds one")
    return 0


@app.command()
def test(
    webhook: WebhookArgument,
    event: Annotated[
        str | None, typer.Option("--event", metavar="EVENT", help="Which; else the first of its own.")
    ] = None,
    allow_private: PrivateOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Send a webhook an example of an event.

    Says what it answered, and exits with 1 where it does not take it.
    """
    with keeper(store, private=allow_private) as kept:
        found = named(kept, webhook)
        asked = TryWebhook(webhook_id=found.webhook_id, event=event)
        result = kept.ask("POST", f"{HOOKS}/{found.webhook_id}/test", asked, Tested).result
    if as_json:
        print_document(
            {
                "schema": "mlproj/webhook-test/1",
                "webhook": found.webhook_id,
                "accepted": result.success,
                "status": result.response_status,
                "body": result.response_body,
                "error": result.error_message,
            }
        )
    else:
        answer = result.error_message or f"answered {result.response_status}"
        say(f"{found.name} {'took it' if result.success else 'did not take it'}: {answer}")
    return 0 if result.success else RUN_FAILED


@app.command()
def change(
    webhook: WebhookArgument,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Another address.")] = None,
    on: Annotated[
        list[str] | None, typer.Option("--on", metavar="EVENT", help="Repeatable: these, and no others.")
    ] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--paused", help="Whether it hears of anything.")
    ] = None,
    secret_from_stdin: SecretOption = False,
    allow_private: PrivateOption = False,
    store: StoreOption = None,
) -> int:
    """Change a webhook; what is not named stays. One that is paused never hears of what happens meanwhile."""
    secret = read_secret("secret") if secret_from_stdin else None
    status = None if active is None else "ACTIVE" if active else "DISABLED"
    with keeper(store, private=allow_private) as kept:
        found = named(kept, webhook)
        asked = ChangeWebhook(
            webhook_id=found.webhook_id,
            url=url,
            events=tuple(dict.fromkeys(on)) if on else None,
            secret=secret,
            status=status,
        )
        kept.ask("PATCH", f"{HOOKS}/{found.webhook_id}", asked, OneOfOurs)
    say(f"changed the webhook {found.name}")
    return 0


@app.command()
def rm(webhook: WebhookArgument, store: StoreOption = None) -> int:
    """Remove a webhook, with what was still to be sent to it."""
    with keeper(store) as kept:
        found = named(kept, webhook)
        path = f"{HOOKS}/{found.webhook_id}"
        kept.ask("DELETE", path, NamedWebhook(webhook_id=found.webhook_id), Empty)
    say(f"removed the webhook {found.name}")
    return 0


@app.command()
def deliveries(
    webhook: Annotated[str | None, typer.Argument(metavar="[WEBHOOK]", help="Those of one alone.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=1000, help="So many at most.")
    ] = 50,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List what was sent, and what waits.

    And what could not be sent; the newest first.
    """
    with keeper(store) as kept:
        known = {each.webhook_id: each.name for each in all_of(kept)}
        webhook_id = None if webhook is None else named(kept, webhook).webhook_id
        asked = ListDeliveries(webhook_id=webhook_id, max_results=limit)
        # The id is part of what is asked, and not of the path.
        found = kept.ask("GET", f"{HOOKS}/deliveries", asked, Deliveries).deliveries
    if as_json:
        told = [delivery_document(each, known) for each in found]
        print_document({"schema": "mlproj/webhook-deliveries/1", "deliveries": told})
        return 0
    print_sheet(deliveries_page(found, known))
    if not found:
        say("nothing was sent, and nothing waits")
    return 0


@app.command()
def retry(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[NUMBER]...", help="As `deliveries` shows; else all.")
    ] = None,
    store: StoreOption = None,
) -> int:
    """Have what could not be sent sent again."""
    with keeper(store) as kept:
        asked = RetryDeliveries(numbers=tuple(numbers or ()))
        retried = kept.ask("POST", f"{HOOKS}/deliveries/retry", asked, Retried).retried
    say(f"{counted(retried, 'delivery', 'deliveries')} will be sent again")
    return 0


@app.command()
def deliver(
    allow_private: PrivateOption = False, store: StoreOption = None, as_json: JsonOption = False
) -> int:
    """Send what is due, of a store without a server.

    As often as cron calls it. What has to be sent again later is left for the next time. Exits with 1 where
    something was not taken for good.
    """
    refuse_far(store)
    with (
        contextlib.closing(wiring.existing_store(store)) as opened,
        contextlib.closing(server_wiring.telling_of(opened, os.environ, private=allow_private)) as telling,
    ):
        went = telling.deliver()
    if as_json:
        told = {"sent": went.sent, "again": went.again, "failed": went.failed}
        print_document({"schema": "mlproj/webhooks-delivered/1", **told})
    else:
        say(f"{went.sent} sent, {went.again} to be sent again later, {went.failed} failed")
    return RUN_FAILED if went.failed else 0


def _called(url: str) -> str:
    """A name by the host of an address."""
    with contextlib.suppress(ValueError):
        host = urlsplit(url).hostname or ""
        return _NAME.sub("-", host)[:_LONGEST_NAME].strip("._-") or "webhook"
    return "webhook"
