"""Public pages are drawn once for each state of the data and served as bytes until that state has passed.

What a public page shows follows from its path, whether the whole page or a part of it is wanted, the language, and the state of the site:
the newest rows, what the header says, the minute. Nothing else may go into it: no cookie, no user, no message, nothing of the asker.

A process asks for the state at most once a second. While one thread draws what has changed, the others get the page that was the present
one a moment ago (it says as of when), or wait. Every process keeps its own pages; their tags are the same in all.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from threading import Lock

from django.http import HttpRequest, HttpResponse
from django.http.response import ResponseHeaders
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.cache import get_conditional_response

from tokens import listing

LOOK_AGAIN_SEC = 1.0  # so long a process believes what it knows of the state
STILL_GOOD_SEC = 3.0  # while a page is drawn anew, one that was the present one so lately may still be served
LONGEST_WAIT_SEC = 20.0
RERENDER_SEC = 60  # ages on the page are words: after a minute they are written anew even when no figure has changed
PAGES_KEPT = 64  # few, so that odd addresses cannot fill the memory
ADDRESSES_KEPT = 1024
COMPRESSION = 4  # a tenth more bytes than the best level, in half the time
HTML = "text/html; charset=utf-8"
VARY = "HX-Request, Accept-Encoding, Accept-Language, Cookie"
CONDITIONS = frozenset(f"HTTP_IF_{name}" for name in ("NONE_MATCH", "MATCH", "MODIFIED_SINCE", "UNMODIFIED_SINCE"))

Key = tuple[Hashable, bool, str]


def is_fragment(request: HttpRequest) -> bool:
    """A refresh of a part of a page, as opposed to a page (also one restored from the browser's history)."""
    return request.META.get("HTTP_HX_REQUEST") == "true" and request.META.get("HTTP_HX_HISTORY_RESTORE_REQUEST") != "true"


def language_of(request: HttpRequest) -> str:
    """As the middleware that finds it has said, which therefore stands before ReadyPages. Behind it, no ready page would be found at all,
    which is slow but never the wrong language."""
    return str(getattr(request, "LANGUAGE_CODE", ""))


def as_written(request: HttpRequest) -> Key:
    """What is known of a question before its address is resolved."""
    meta = request.META
    return (meta.get("PATH_INFO"), meta.get("QUERY_STRING"), meta.get("SCRIPT_NAME")), is_fragment(request), language_of(request)


@lru_cache(maxsize=256)
def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding names gzip and does not refuse it."""
    offers = (offer.partition(";") for offer in header.lower().replace(" ", "").split(","))
    weights = {name: weight for name, _, weight in offers}
    offered = weights.get("gzip", weights.get("*"))
    return offered is not None and offered.rstrip("0.") != "q="


# Filled by whoever adds headers to every answer of the site: with them, a ready page has nothing to be given any more.
carried: dict[str, str] = {}


class _Checked(ResponseHeaders):
    """Headers that Django has looked at once already: each answer gets a copy of its own, and nothing is looked at again."""

    def __init__(self, headers: ResponseHeaders) -> None:
        self._store = dict(headers._store)


@dataclass
class Page:
    """One answer in bytes, and the state of the site that it shows."""

    state: str
    tag: str
    content: bytes
    content_type: str
    present_at: float = field(default_factory=time.monotonic)  # when it was last known to be the present one
    _headers: dict[bool, ResponseHeaders] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.content, COMPRESSION, mtime=0)

    def response(self, request: HttpRequest) -> HttpResponse:
        """As this client takes it: nothing when it has the page already, compressed when it can read that.

        Public pages hold no secret beside what was asked, so that their length gives nothing away.
        """
        packed = accepts_gzip(request.META.get("HTTP_ACCEPT_ENCODING", ""))
        tag = f"W/{self.tag}" if packed else self.tag
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": VARY}
        if not CONDITIONS.isdisjoint(request.META):
            short = get_conditional_response(request, etag=tag)
            if short is not None and short.status_code == 304:  # If-Match guards what is written; it has no meaning for reading
                for name, value in headers.items():
                    short.headers[name] = value
                return short
        content = self.compressed if packed else self.content
        response = HttpResponse(content)
        known = self._headers.get(packed)
        if known is None:
            how = {"Content-Encoding": "gzip"} if packed else {}
            about = {"Content-Type": self.content_type, "Content-Length": str(len(content)), **how}
            known = self._headers[packed] = ResponseHeaders({**carried, **headers, **about})
        response.headers = _Checked(known)
        return response


@contextmanager
def _held(lock: Lock, wait: float) -> Iterator[bool]:
    """Whether the lock could be had in time; it is given back in any case."""
    mine = lock.acquire(timeout=wait) if wait else lock.acquire(blocking=False)
    try:
        yield mine
    finally:
        if mine:
            lock.release()


class Watch:
    """The state of the site, asked for by one thread at a time and believed for a second."""

    def __init__(self, ask: Callable[[HttpRequest], str]) -> None:
        self._ask = ask
        self._asking = Lock()
        self._known = ("", -math.inf)

    def known(self) -> str | None:
        """The state as far as it is known without asking; None when this thread should ask."""
        state, asked_at = self._known
        age = time.monotonic() - asked_at
        return state if age < LOOK_AGAIN_SEC or (age < STILL_GOOD_SEC and self._asking.locked()) else None

    def state(self, request: HttpRequest) -> str:
        before = self._known
        if (state := self.known()) is not None:
            return state
        with _held(self._asking, LONGEST_WAIT_SEC):
            if self._known is before:
                began = time.monotonic()
                self._known = (self._ask(request), began)
            return self._known[0]


class Shelf:
    """The pages kept, the longest unused the first to go."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Key, Page] = OrderedDict()
        self._asked: dict[Key, Key] = {}  # an address as it was written → what it means
        self._drawing = tuple(Lock() for _ in range(PAGES_KEPT))
        self._lock = Lock()

    def at(self, address: Key) -> Page | None:
        """The page that this address got last, of whatever state."""
        meant = self._asked.get(address)
        return None if meant is None else self._pages.get(meant)

    def remember(self, address: Key, meant: Key) -> None:
        if len(self._asked) >= ADDRESSES_KEPT:
            self._asked.clear()
        self._asked[address] = meant

    def page(self, key: Key, state: str, draw: Callable[[], Page]) -> Page:
        """The page of this state, drawn by whoever comes first."""
        if found := self._present(key, state):
            return found
        last = self._pages.get(key)
        good = last is not None and time.monotonic() - last.present_at < STILL_GOOD_SEC
        with _held(self._drawing[hash(key) % PAGES_KEPT], 0 if good else LONGEST_WAIT_SEC) as mine:
            if last is not None and good and not mine:
                return last
            return self._present(key, state) or self._keep(key, draw())

    def _present(self, key: Key, state: str) -> Page | None:
        found = self._pages.get(key)
        if found is None or found.state != state:
            return None
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
        found.present_at = time.monotonic()
        return found

    def _keep(self, key: Key, page: Page) -> Page:
        with self._lock:
            self._pages[key] = page
            self._pages.move_to_end(key)
            while len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        return page


# Filled by apps above this one, whose pages are kept here too: each a question whose answer changes when one of their pages may have.
versions: list[Callable[[], object]] = []


def state_of_the_site(request: HttpRequest) -> str:
    """Changes whenever any page may have changed. The header is the business of whoever put `pulse` into the templates."""
    with translation.override(None):  # the same for all readers, or each would find the others' pages out of date
        header = render_to_string("_header_version.txt", request=request)
    others = [version() for version in versions]
    return repr((listing.version(), others, header.strip(), int(timezone.now().timestamp()) // RERENDER_SEC))


WATCH, SHELF = Watch(state_of_the_site), Shelf()


def forget() -> None:
    """As a process that has just started."""
    global WATCH, SHELF
    WATCH, SHELF = Watch(state_of_the_site), Shelf()


def answer(request: HttpRequest, asked: Hashable, draw: Callable[[str], bytes], content_type: str = HTML) -> HttpResponse:
    """What `asked` names, which equal questions share however their addresses are written. `draw` gets the tag of the living part, with
    which a page later asks whether it has changed."""
    fragment, language = is_fragment(request), language_of(request)
    key = (asked, fragment, language)
    state = WATCH.state(request)
    tag = hashlib.sha256(repr((asked, language, state)).encode("utf-8", "replace")).hexdigest()[:32]
    part_tag = f'"{tag}-part"'

    def drawn() -> Page:
        return Page(state, part_tag if fragment else f'"{tag}"', draw(part_tag), content_type)

    SHELF.remember(as_written(request), key)
    return SHELF.page(key, state, drawn).response(request)


class ReadyPages:
    """A page that is ready goes out here, before cookies are read and addresses resolved; everything else goes on to its view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            page = SHELF.at(as_written(request))
            if page is not None and page.state == WATCH.known():
                request.get_host()  # a name that is not ours is refused, as everywhere
                page.present_at = time.monotonic()
                return page.response(request)
        return self.get_response(request)
