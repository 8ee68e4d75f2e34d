"""Contact pages at scale beside a stock changelist, in one run (goals G8 to G12).

    DATABASE_URL=… python -m tests.benchmarks.bench_lists --fill 1000000
    DATABASE_URL=… python -m tests.benchmarks.bench_lists

Whole pages through Django's test client: middleware, session, permissions,
queries, template. The stock changelist has 8 columns, 4 filters, a search over
name, phones and e-mails and a date hierarchy, as the admin offers it.
"""

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
SIZE = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fill", type=int, default=0, help="add so many contacts first")
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--stock-repeat", type=int, default=2, help="0: leave the stock pages out")
    options = parser.parse_args()

    import django

    django.setup()
    if options.fill:
        from django.core.management import call_command

        from tests.benchmarks.contact_rows import fill, settle

        call_command("migrate", verbosity=0)
        fill(options.fill)
        settle()
    run(options.repeat, options.stock_repeat)


def run(repeat: int, stock_repeat: int) -> None:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import override_settings

    from crm_bridge.models import Contact, ContactPhone

    users = get_user_model()
    user, _made = users.objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    rows = Contact.objects.count()
    phone = ContactPhone.objects.filter(contact__state="live", e164__startswith="+849")[100].e164[3:]
    middle = rows * 97 // 100 // SIZE // 2 + 1
    pages: Sequence[tuple[str, str, str]] = (
        ("floor: the shell around it", "import/", ""),
        ("G8 first page", f"?size={SIZE}", ""),
        ("G9 phone, last 7 digits", f"?size={SIZE}&q={phone[-7:]}", f"?q={phone[-7:]}"),
        ("G9 phone, 0… with spaces", f"?size={SIZE}&q=0{phone[:3]}+{phone[3:6]}+{phone[6:]}", ""),
        ("G9 phone, table only", f"swap?size={SIZE}&q={phone[-7:]}", ""),
        ("   phone, 4 digits", f"?size={SIZE}&q={phone[-4:]}", ""),
        ("   phone, beginning", f"?size={SIZE}&q=0{phone[:3]}", ""),
        ("G10 name, common", f"?size={SIZE}&q=nguyen+van", "?q=nguyen+van"),
        ("G10 common, table only", f"swap?size={SIZE}&q=nguyen+van", ""),
        ("G10 none, table only", f"swap?size={SIZE}&q=zzzqqq", ""),
        ("G10 name, rare", f"?size={SIZE}&q=ly+cong+yen", "?q=ly+cong+yen"),
        ("G10 name, none", f"?size={SIZE}&q=zzzqqq", "?q=zzzqqq"),
        ("   words, any order", f"?size={SIZE}&q=yen+ly", ""),
        ("   two letters", f"?size={SIZE}&q=ly", ""),
        ("G11 stage + tag", f"?size={SIZE}&stage=New&tag=vip", "?stage=New&tags__id__exact=1"),
        ("   stage + rare tag", f"?size={SIZE}&stage=Nurture&tag=rare", ""),
        ("G11 last page", f"?size={SIZE}&last=1", f"?p={rows // SIZE}"),
        ("G11 middle page", f"?size={SIZE}&page={middle}", f"?p={middle}"),
    )  # fmt: skip
    stock: dict[str, tuple[list[float], int, int]] = {}
    with override_settings(ROOT_URLCONF=_urls_with_stock(), ALLOWED_HOSTS=["*"]):
        client = Client()
        client.force_login(user)
        if stock_repeat:
            with override_settings(TEMPLATES=_stock_templates()):
                for name, _ours, theirs in pages:
                    if theirs or name.startswith("G8"):
                        address = f"/stock/crm_bridge/contact/{theirs}"
                        stock[name] = measure(client, address, stock_repeat)
        print(f"{connection.vendor}, {rows:,} contacts, {SIZE} rows a page, {repeat} times each (ms)")
        print(
            f"{'page':28} {'best':>8} {'p50':>8} {'p95':>8} {'queries':>8} {'KB':>6}  stock, queries, ratio"
        )
        warm(client)
        for name, ours, _theirs in pages:
            times, size, queries = measure(client, f"/crm_bridge/contact/{ours}", repeat)
            median = statistics.median(times)
            line = (
                f"{name:28} {min(times):8.1f} {median:8.1f} {p95(times):8.1f} {queries:8} {size / 1024:6.0f}"
            )
            if name in stock:
                slow = statistics.median(stock[name][0])
                line += f" {slow:9.0f} {stock[name][2]:8} {slow / median:6.0f}×"
            print(line, flush=True)


def warm(client: Any) -> None:
    """What a server has behind it after its first minute: loaded templates, frozen objects."""
    for _ in range(3):
        client.get("/crm_bridge/contact/?size=100")
        client.get("/crm_bridge/contact/?q=nguyen")
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000)


def measure(client: Any, address: str, repeat: int) -> tuple[list[float], int, int]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    # "swap": what htmx asks for while somebody types.
    headers = {"HX-Request": "true", "HX-Target": "list"} if "/swap?" in address else {}
    address = address.replace("/swap?", "/?")
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address, headers=headers)
    queries = len(captured)
    if response.status_code != 200:
        sys.exit(f"{address}: {response.status_code}")
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        response = client.get(address, headers=headers)
        times.append((time.perf_counter() - started) * 1000)
    return times, len(response.content), queries


def p95(times: list[float]) -> float:
    return sorted(times)[max(0, round(len(times) * 0.95) - 1)]


def _stock_templates() -> list[dict[str, Any]]:
    """Django's own admin templates before those of the shell."""
    from pathlib import Path

    import django.contrib.admin
    from django.conf import settings

    engine = dict(settings.TEMPLATES[0])
    return [{**engine, "DIRS": [Path(django.contrib.admin.__file__).parent / "templates"]}]


def _urls_with_stock() -> str:
    """A URL module with the stock changelist beside ours."""
    import types

    from django.contrib import admin
    from django.urls import include, path

    from crm_bridge.models import Contact

    class Stock(admin.ModelAdmin):
        list_display = (
            "name", "first_phone", "first_email", "stage", "tag_names", "responsible", "source", "touched_at",
        )  # fmt: skip
        list_filter = ("kind", "stage", "source", "tags")
        search_fields = ("name", "phones__value", "emails__value")
        date_hierarchy = "touched_at"
        ordering = ("-touched_at",)
        list_per_page = SIZE

        def first_phone(self, contact: Contact) -> Any:
            return contact.phones.first()

        def first_email(self, contact: Contact) -> Any:
            return contact.emails.first()

        def tag_names(self, contact: Contact) -> str:
            return ", ".join(tag.name for tag in contact.tags.all())

    site = admin.AdminSite(name="stock")
    site.register(Contact, Stock)
    module = types.ModuleType("bench_urls")
    module.urlpatterns = [  # type: ignore[attr-defined]
        path("stock/", site.urls),
        path("", include("backoffice.urls")),
    ]
    sys.modules["bench_urls"] = module
    return "bench_urls"


if __name__ == "__main__":
    main()
