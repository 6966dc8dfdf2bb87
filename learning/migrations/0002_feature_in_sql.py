"""`feature()` for people who write SQL: a slot of a stored vector as a number, by its place or by its name. SQLite keeps no functions: see learning.in_sql."""

from django.db import migrations

BY_SLOT = """
CREATE FUNCTION feature("values" bytea, slot integer) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
-- A little-endian float of four bytes; null where it is no number, which is how a missing slot is stored.
DECLARE
    bits bigint := get_byte("values", 4 * slot) + (get_byte("values", 4 * slot + 1) << 8)
        + (get_byte("values", 4 * slot + 2) << 16) + (get_byte("values", 4 * slot + 3)::bigint << 24);
    exponent integer := (bits >> 23) & 255;
    fraction integer := bits & 8388607;
    size double precision;
BEGIN
    IF exponent = 255 THEN RETURN NULL; END IF;
    IF exponent = 0 THEN size := fraction * power(2::double precision, -149);
    ELSE size := (fraction + 8388608) * power(2::double precision, exponent - 150); END IF;
    RETURN CASE WHEN bits >> 31 = 1 THEN -size ELSE size END;
END $$
"""
BY_NAME = """
CREATE FUNCTION feature("values" bytea, schema_version integer, slot_name text) RETURNS double precision
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
    place integer;
BEGIN
    SELECT n.ordinality - 1 INTO place FROM feature_schemas s, jsonb_array_elements_text(s.names) WITH ORDINALITY n
        WHERE s.version = schema_version AND n.value = slot_name;
    IF place IS NULL THEN RAISE EXCEPTION 'version % of the schema has no slot %', schema_version, slot_name; END IF;
    RETURN feature("values", place);
END $$
"""


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(BY_SLOT, params=None)  # percent signs stand for themselves
        schema_editor.execute(BY_NAME, params=None)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION feature(bytea, integer, text)")
        schema_editor.execute("DROP FUNCTION feature(bytea, integer)")


class Migration(migrations.Migration):
    dependencies = [("learning", "0001_initial")]
    operations = [migrations.RunPython(make, drop, elidable=False)]
