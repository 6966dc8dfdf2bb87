"""Fields for numbers that take plain digits only."""

from __future__ import annotations

from typing import Any

from django import forms

from scoring.revisions import not_a_plain_number


class PlainFloat(forms.FloatField):
    """Python reads 1_000, full-width digits and 1e400 as numbers; an operator who wrote that did not mean it."""

    whole = False

    def to_python(self, value: Any) -> Any:
        if value not in self.empty_values and (sentence := not_a_plain_number(value, self.whole)):
            raise forms.ValidationError(sentence, code="not_a_number")
        return super().to_python(value)


class PlainInteger(forms.IntegerField):
    def to_python(self, value: Any) -> Any:
        if value not in self.empty_values and (sentence := not_a_plain_number(value, whole=True)):
            raise forms.ValidationError(sentence, code="not_a_number")
        return super().to_python(value)
