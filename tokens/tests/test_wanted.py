import pytest
from django.http import QueryDict

from tokens.bounds import Refused
from tokens.models import Status
from tokens.wanted import Wanted, columns, wanted


def asked(query):
    return wanted(QueryDict(query))


def test_without_anything_said_the_highest_active_scores_come_first():
    assert asked("") == Wanted(Status.ACTIVE, "score", True, "", 1, 50)


def test_an_address_says_only_what_is_unusual_and_reads_back_the_same():
    view = asked("status=Initial&sort=-liquidity&q=dog&size=100&page=3")
    assert view.link() == "/?status=Initial&q=dog&sort=-liquidity&size=100&page=3"
    assert asked(view.link().partition("?")[2]) == view
    assert asked("").link() == "/"


@pytest.mark.parametrize(
    "query",
    [
        "status=Nowhere",
        "sort=password",
        "sort=last_score_value",
        "sort=--score",
        "sort=score;drop table tokens",
        "sort=token__scores",
        "status=Archived&sort=liquidity",
        "size=1000000000",
        "size=-1",
        "size=",
        "page=-1",
        "page=two",
        "page=1e3",
        "page=",
        "page=٣",
        "q=%00",
        "q=" + "x" * 10_000,
        "status=%00",
        "sort[]=score&sort=[]",
    ],
)
def test_nonsense_is_refused_with_a_sentence(query):
    with pytest.raises(Refused, match=r"\.$"):
        asked(query)


def test_a_lone_surrogate_is_refused():
    query = QueryDict(mutable=True)
    query["q"] = "a\ud800b"
    with pytest.raises(Refused):
        wanted(query)


def test_of_two_values_for_one_name_the_last_counts():
    assert asked("sort=score&sort=-price").sort == "price"


@pytest.mark.parametrize("page", ["9" * 20, "9" * 5000, "0"])
def test_a_page_number_of_any_length_is_read(page):
    assert asked(f"page={page}").page >= 0


def test_a_second_click_on_a_head_turns_the_order_round():
    heads = columns(asked("sort=-liquidity"))
    assert heads["liquidity"].link == "/?sort=liquidity"
    assert heads["liquidity"].order == "descending"
    assert heads["age"].link == "/?sort=age"


def test_the_archive_is_sorted_only_by_what_has_an_index():
    assert set(columns(asked("status=Archived"))) == {"since", "age"}
