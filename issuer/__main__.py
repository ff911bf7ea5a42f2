"""`python -m issuer`: serve, migrate, run jobs, and everything that an agency's operator does from a terminal.

Commands that change something write it into the journal under the name of the operating system's user.
"""

import asyncio
import csv
import getpass
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from byoid.errors import ByoidError, MalformedInput, OAuthError
from byoid.service.audit import AuditHead
from byoid.service.cli import commands
from issuer import admin, bulk, clerks, delivery, journal, people, updates
from issuer.admin import Role
from issuer.agency import WRITER, Agency
from issuer.agency_offers import OfferOrder, SingleOffer, create
from issuer.agency_store import Target
from issuer.agency_tables import BulkState
from issuer.app import open_agency
from issuer.ceremony_commands import ceremony_commands
from issuer.credential_types import TypeFileInvalid, in_language, load_type
from issuer.delivery import Channel, DeliveryOrder
from issuer.jobs import run_jobs
from issuer.migrations import MIGRATIONS
from issuer.restored import close_open_lists
from issuer.revocation import Selection, change_status
from issuer.sealed import SEALED
from issuer.settings import IssuerSettings
from issuer.sources.csv_file import read_csv
from issuer.sources.excel import read_excel
from issuer.status_files import keep_writing, write_files
from issuer.tables import CredentialStatus

T = TypeVar("T")
_PART: Final = 1000
_PATIENCE: Final = 2.0  # seconds
_console: Final = Console(stderr=True)


async def _jobs(settings: IssuerSettings) -> None:
    async with open_agency(settings) as agency:
        await run_jobs(agency)


app = commands(
    settings=IssuerSettings, factory="issuer.app:from_environment", migrations=MIGRATIONS, jobs=_jobs, sealed=SEALED
)
accounts = typer.Typer(no_args_is_help=True, help="Accounts by which people sign in.")
office = typer.Typer(no_args_is_help=True, help="Clerks who work in the back office.")
keys = typer.Typer(no_args_is_help=True, help="Keys to the admin API.")
app.add_typer(accounts, name="accounts")
app.add_typer(keys, name="api-keys")
app.add_typer(office, name="clerks")
ceremony_commands(app)

Configurations = Annotated[list[str], typer.Option("--configuration", "-c", help="id of a credential configuration")]
OfferBy = Annotated[Channel, typer.Option(help="how the offer goes to the person")]
CodeBy = Annotated[Channel, typer.Option(help="how the transaction code goes to the person")]
Language = Annotated[str, typer.Option(help="en, de, fr or es")]
Value = Annotated[str, typer.Argument(help="id of the credential or batch, id of the type, or the register's key")]
By = Annotated[Target, typer.Option("--by", help="what the value is")]
Reason = Annotated[str, typer.Option(help="for the journal; nothing personal")]


@app.command()
def offer(
    person: Annotated[str, typer.Argument(help="the register's key of the person")],
    configuration: Configurations,
    offer_by: OfferBy = Channel.NONE,
    code_by: CodeBy = Channel.NONE,
    tx_code: Annotated[bool, typer.Option(help="ask for a transaction code")] = True,
    language: Language = "en",
) -> None:
    """Offer credentials to one person; print link and transaction code as JSON."""
    order = {"offer": offer_by, "code": code_by, "language": language}
    wanted = SingleOffer.model_validate({
        "person": person, "configuration_ids": configuration, "tx_code": tx_code, "delivery": order,
    })  # fmt: skip
    answer = _run(lambda agency: create(agency, wanted, actor=_actor()))
    typer.echo(answer.model_dump_json())


@app.command()
def bulk_offers(  # each is an option of the command
    file: Annotated[Path, typer.Argument(help="CSV or Excel file with a column of the register's keys", exists=True)],
    configuration: Configurations,
    out: Annotated[Path, typer.Option(help="where links and codes are written, as CSV")],
    column: Annotated[str, typer.Option(help="the column with the register's keys")] = "person",
    offer_by: OfferBy = Channel.NONE,
    code_by: CodeBy = Channel.NONE,
    language: Language = "en",
    job: Annotated[str | None, typer.Option(help="go on with this job")] = None,
) -> None:
    """Offer credentials to everybody in a file. If it is interrupted, call it again with --job and the id it shows."""
    order = OfferOrder(
        configuration_ids=tuple(configuration),
        delivery=DeliveryOrder.model_validate({"offer": offer_by, "code": code_by, "language": language}),
    )
    _run(lambda agency: _bulk_offers(agency, file, column, order, job, out))


@app.command()
def issued(value: Value = "", by: By = Target.ALL) -> None:
    """List what was issued: to a person, of a type, in a batch, or all of it."""
    table = Table("credential", "type", "configuration", "status", "issued on", "expires", "batch")
    for row in _run(lambda agency: _issued(agency, by, value)):
        days = (row.issued_on.date().isoformat(), row.expires_at.date().isoformat())
        table.add_row(row.id, row.credential_type, row.configuration_id, row.status, *days, row.batch_id)
    Console(width=200 if not sys.stdout.isatty() else None).print(table)


@app.command()
def revoke(value: Value, by: By, reason: Reason, end_reissuance: bool = False) -> None:
    """Revoke for good."""
    _change(value, by, reason, CredentialStatus.REVOKED, end_reissuance=end_reissuance)


@app.command()
def suspend(value: Value, by: By, reason: Reason) -> None:
    """Suspend until reinstated."""
    _change(value, by, reason, CredentialStatus.SUSPENDED)


@app.command()
def reinstate(value: Value, by: By, reason: Reason) -> None:
    """End a suspension."""
    _change(value, by, reason, CredentialStatus.VALID)


@app.command()
def after_restore() -> None:
    """After the database came back from a backup, before anything is issued: give no status index a second time."""
    typer.echo(f"{_run(lambda agency: close_open_lists(agency.issuer))} status lists closed", err=True)


@app.command()
def status_files(
    folder: Annotated[Path, typer.Argument(help="where a web server finds them", file_okay=False, exists=True)],
    every: Annotated[float, typer.Option(help="look again after so many seconds; 0: once")] = 0,
) -> None:
    """Write the published status lists as files that any web server or CDN serves."""
    if every:
        _run(lambda agency: keep_writing(agency.issuer, folder, seconds=every))
    else:
        typer.echo(f"{_run(lambda agency: write_files(agency.issuer, folder))} lists written", err=True)


@app.command()
def changed(person: Annotated[str, typer.Argument(help="the register's key of the person")]) -> None:
    """Compare what a person has with the register, and revoke what is outdated."""
    count = _run(lambda agency: updates.take_change(agency, person, actor=_actor()))
    typer.echo(f"{count} credentials are outdated", err=True)


@app.command()
def check_type(files: list[Path]) -> None:
    """Check files of credential types and explain each mistake."""
    mistakes = 0
    for file in files:
        try:
            found = load_type(file)
        except (TypeFileInvalid, OSError) as error:
            mistakes += 1
            typer.echo(str(error), err=True)
        else:
            formats = [part.configuration_id for part in (found.sd_jwt_vc, found.mdoc) if part]
            typer.echo(
                f"{file.name}: {in_language(found.name, 'en')}, {len(found.claims)} claims, {' and '.join(formats)}"
            )
    raise typer.Exit(1 if mistakes else 0)


@app.command()
def letters(
    out: Annotated[Path, typer.Argument(help="HTML file to write; one that is there is not overwritten")],
    keep: Annotated[bool, typer.Option(help="do not forget them")] = False,
) -> None:
    """Write the letters that wait, at most 500, into one file to print, and forget them."""
    count = _run(lambda agency: _letters(agency, out, keep))
    typer.echo(f"{count} letters" + (", more may wait" if count == delivery.LETTERS else ""), err=True)


@app.command(name="journal")
def verify_journal(
    noted: Annotated[str, typer.Argument(help="a head that was noted earlier")] = "",
    heads: Annotated[Path | None, typer.Option(help="the file in which heads were noted", exists=True)] = None,
) -> None:
    """Verify the whole journal, and that heads noted earlier are in it; print its head, to be noted elsewhere."""
    known = [(WRITER, AuditHead.parse(noted))] if noted else []
    known += journal.noted_heads(heads) if heads else []
    found = _run(lambda agency: journal.verify(agency, known)).get(WRITER)
    typer.echo(str(found) if found else "the journal is empty")


@accounts.command(name="add")
def add_account(username: str, person: Annotated[str, typer.Argument(help="the register's key")]) -> None:
    """Make an account, or give it another password. The password is asked, or read from standard input."""
    password = _new_password()
    _run(lambda agency: people.add_account(agency, username, password, person, actor=_actor()))


@accounts.command(name="delete")
def delete_account(username: str) -> None:
    """Delete an account."""
    if not _run(lambda agency: people.delete_account(agency, username, actor=_actor())):
        raise typer.Exit(1)


@office.command(name="add")
def add_clerk(name: str, role: Role) -> None:
    """Let somebody in, or give them another password or role. The password is asked, or read from standard input."""
    password = _new_password()
    _run(lambda agency: clerks.add_clerk(agency, name, role, password, actor=_actor()))


@office.command(name="remove")
def remove_clerk(name: str) -> None:
    """Let somebody in no more; their sessions end at once."""
    if not _run(lambda agency: clerks.remove_clerk(agency, name, actor=_actor())):
        raise typer.Exit(1)


@office.command(name="list")
def list_clerks() -> None:
    """List the clerks."""
    for row in _run(clerks.clerks):
        typer.echo(f"{row.role:14} {row.name}")


@keys.command(name="add")
def add_key(name: str, role: Role) -> None:
    """Make a key and print it, this once."""
    typer.echo(_run(lambda agency: admin.add_key(agency, name=name, role=role, actor=_actor())).key)


@keys.command(name="list")
def list_keys() -> None:
    """List the keys."""
    for row in _run(lambda agency: agency.store.api_keys()):
        typer.echo(f"{row.id}  {row.role:14} {'revoked' if row.revoked else 'good':8} {row.name}")


@keys.command(name="revoke")
def revoke_key(key_id: str) -> None:
    """End a key."""
    _run(lambda agency: admin.revoke_key(agency, key_id, actor=_actor()))


async def _bulk_offers(  # what the command was asked
    agency: Agency, file: Path, column: str, order: OfferOrder, job_id: str | None, out: Path
) -> None:
    if job_id is None:
        next(_people(file, column), None)  # a file that cannot be read makes no job
        job_id = await bulk.create(agency, order, actor=_actor())
        typer.echo(f"job {job_id}", err=True)
    job = await bulk.require_job(agency, job_id)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console) as progress:
        if job.state == BulkState.COLLECTING:
            await _collect(agency, job_id, file, column, progress)
            await bulk.start(agency, job_id, actor=_actor())
        job = await bulk.require_job(agency, job_id)
        bar = progress.add_task("offers", total=job.people, completed=job.offered + job.failed)
        while job.state == BulkState.RUNNING:
            await bulk.run(agency, job_id, report=lambda count: progress.advance(bar, count))
            job = await bulk.require_job(agency, job_id)
            progress.update(bar, completed=job.offered + job.failed)
            if job.state == BulkState.RUNNING:  # another worker has it, or had it and was killed: its lease ends
                await asyncio.sleep(_PATIENCE)
    await _write_results(bulk.results(agency, job_id), out)
    typer.echo(f"{job.offered} offered, {job.failed} failed: {out} says why", err=True)


async def _collect(agency: Agency, job_id: str, file: Path, column: str, progress: Progress) -> None:
    found = _people(file, column)
    bar, first = progress.add_task("reading", total=None), 0
    while part := list(islice(found, _PART)):
        await bulk.add_people(agency, job_id, part, first=first)
        first += len(part)
        progress.update(bar, completed=first)
    progress.update(bar, total=first)


def _people(file: Path, column: str) -> Iterator[str]:
    """Yield the register's keys of a file.

    Raises:
        MalformedInput: it cannot be read, or a row has no key.
    """
    try:
        for number, row in enumerate(read_excel(file) if file.suffix == ".xlsx" else read_csv(file), start=1):
            if row.get(column) in (None, ""):
                raise MalformedInput(f"{file.name}, row {number}: expected the key of a person in column {column!r}")
            yield str(row[column])
    except ValueError as error:
        raise MalformedInput(f"{file.name}: {error}") from error


async def _write_results(results: AsyncIterator[dict[str, Any]], out: Path) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        out.chmod(0o600)
        writer = csv.DictWriter(file, ["number", "person", "state", "link", "tx_code", "guardian", "error"])
        writer.writeheader()
        async for result in results:
            writer.writerow(result)


async def _issued(agency: Agency, target: Target, value: str) -> list[Any]:
    sought = agency.issuer.settings.agency_id if target is Target.ALL else Selection(target, value).sought(agency)
    found: list[Any] = []
    while rows := await agency.store.look_up(target, sought, after=found[-1].id if found else ""):
        found.extend(rows)
    return found


async def _letters(agency: Agency, out: Path, keep: bool) -> int:
    waiting = await delivery.waiting_letters(agency)
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(agency.post.letters(waiting))  # what is in an older file is nowhere else
    if waiting and not keep:
        await delivery.letters_printed(agency, [each["id"] for each in waiting], actor=_actor())
    return len(waiting)


def _change(value: str, by: Target, reason: str, status: CredentialStatus, *, end_reissuance: bool = False) -> None:
    count = _run(
        lambda agency: change_status(
            agency, Selection(by, value), status, actor=_actor(), reason=reason, end_reissuance=end_reissuance
        )
    )
    typer.echo(json.dumps({"changed": count}))


def _run(act: Callable[[Agency], Awaitable[T]]) -> T:
    """Run an operation on the agency that the environment describes; a mistake ends the command with its reason."""

    async def opened() -> T:
        async with open_agency(IssuerSettings.load()) as agency:
            return await act(agency)

    try:
        return asyncio.run(opened())
    except (ByoidError, OSError) as error:
        detail = error.detail if isinstance(error, OAuthError) else None
        typer.echo(f"{error}: {detail}" if detail else str(error), err=True)
        raise typer.Exit(2) from error


def _new_password() -> str:
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


if __name__ == "__main__":
    app()
