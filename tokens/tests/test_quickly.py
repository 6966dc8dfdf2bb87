"""What is drawn quickly is what the engine would have written, letter for letter, whatever the template and the values hold."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

HEAD = "{% load figures i18n quickly %}"


@dataclass
class Thing:
    name: Any = "a name"
    size: Any = 3
    nested: Any = None
    parts: Any = ()

    def spoken(self):
        return f"<{self.name}>"

    @property
    def broken(self):
        raise AttributeError("nothing there")


def both(template, **context):
    """The quick text and the engine's."""
    written = Template(HEAD + "{% quickly %}" + template + "{% endquickly %}")
    return written.render(Context({**context})), written.render(Context({**context, "by_the_engine": True}))


VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["<b>", "&amp;", "'\"", "{{ x }}", "{% if %}", "\x00", "</script>", "é🚀"]),
    st.integers(),
    st.floats(),
    st.none(),
    st.booleans(),
    st.builds(mark_safe, st.text(max_size=10)),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.sampled_from(["name", "size"]), st.text(max_size=3), max_size=2),
)


@given(VALUES, VALUES, VALUES)
def test_any_value_comes_out_as_the_engine_writes_it(name, size, other):
    thing = Thing(name, size, Thing(other))
    template = (
        "{{ thing.name }}|{{ thing.size|money }}|{{ thing.nested.name }}|{{ other }}|{{ thing.size|default:'–' }}|{{ thing.name|tame }}"
        "{% if thing.size > 2 %}big{% elif thing.name == other and not thing.size %}same{% else %}{{ thing.nested.size }}{% endif %}"
        "{% if thing.nested.name != 'x' or other %}y{% endif %}{% if other in thing.name %}in{% endif %}"
    )
    quick, engine = both(template, thing=thing, other=other)
    assert quick == engine


@given(st.lists(VALUES, max_size=4))
def test_any_list_comes_out_as_the_engine_writes_it(items):
    quick, engine = both("{% for part in thing.parts %}<i>{{ part }}</i>{% empty %}none{% endfor %}{{ part }}", thing=Thing(parts=items))
    assert quick == engine


@pytest.mark.parametrize(
    "template",
    [
        "x{{ nowhere }}{{ thing.nowhere }}{{ thing.nested.name.deeper }}",
        "{{ thing.spoken }}",
        "{{ mapping.key }}{{ mapping.items }}{{ row.0 }}",
        "{{ thing.name|upper|truncatechars:3 }}{{ html }}{{ thing.size|floatformat:2 }}",
        "{% with inner=thing.name %}{{ inner }}{% endwith %}",
        "{% for letter in thing.name %}{{ letter }}{% endfor %}{% for part in nowhere %}x{% empty %}nothing{% endfor %}",
        "{% firstof nowhere 'b' %}{% for key, value in mapping.items %}{{ key }}{{ value }}{% endfor %}",
        "{% for x in row reversed %}{{ x }}{% endfor %}",
        "{% url 'token' thing.nested %}{% url 'token-list' %}",
        "{% translate 'No' %}{% translate 'No' as named %}{{ named }}{% blocktranslate with n=thing.name %}{{ n }}!{% endblocktranslate %}",
        "{# nothing #}{% comment %}{{ x }}{% endcomment %}{% spaceless %}<a> <b>{% endspaceless %}",
        "{% include 'tokens/_change.html' with change=thing %}",
        "{% autoescape off %}{{ html }}{{ thing.spoken }}{% endautoescape %}",
        "{% if thing.name > thing.size %}x{% else %}y{% endif %}{% if nowhere %}x{% endif %}{% if not nowhere.deeper %}z{% endif %}",
    ],
)
def test_what_is_not_understood_is_left_to_the_engine(template):
    thing = Thing("<b>", 2.5, nested="x'y")
    quick, engine = both(template, thing=thing, mapping={"key": "<value>"}, html=format_html("<b>{}</b>", "<"), row=["<zero>"])
    assert quick == engine != ""


def test_a_property_that_raises_is_not_hidden():
    with pytest.raises(AttributeError, match="nothing there"):
        both("{{ thing.broken }}", thing=Thing())


def test_a_sentence_is_translated_for_each_language():
    written = Template(HEAD + "{% quickly %}{% translate 'Yes' %}{% endquickly %}")
    assert written.render(Context()) == "Yes"
    with translation.override("uk"):
        assert written.render(Context()) == "Так"
    assert written.render(Context()) == "Yes"


@pytest.mark.parametrize("inside", ["{{ forloop.counter }}", "{% cycle 'a' 'b' %}", "{% ifchanged %}x{% endifchanged %}"])
def test_a_template_that_asks_for_its_place_in_the_loop_is_refused(inside):
    with pytest.raises(TemplateSyntaxError, match="place in a loop"):
        Template(HEAD + "{% quickly %}{% for x in y %}" + inside + "{% endfor %}{% endquickly %}")
    assert Template(HEAD + "{% quickly %}{% endquickly %}{% for x in y %}" + inside + "{% endfor %}")


def test_what_the_caller_named_stays_as_it_was():
    written = Template(HEAD + "{{ x }}{% quickly %}{% for x in y %}{{ x }}{% endfor %}{{ x }}{% endquickly %}{{ x }}")
    assert written.render(Context({"x": "0", "y": ["1", "2"]})) == "01200"
