"""The JSON interface: exact decimals as strings, UTC with Z, a schema that says what comes."""

import pytest

from kaukoluenta.identifiers import meter_id

API = "/api/v1"


def test_the_overview_in_figures(village, pages):
    assert pages.get(f"{API}/overview").json() == {
        "now": "2026-10-20T09:20:00Z",
        "newest_reading": "2026-10-20T09:00:00Z",
        "meters": 3,
        "states": {"read": 2, "late": 0, "silent": 1, "never": 0, "unpolled": 0},
        "expected": 72,
        "read": 62,
        "read_rate_percent": "86.11",
        "power_kw": "5.000",
        "power_meters": 2,
        "flow_temperature": "85.10",
        "return_temperature": "43.60",
        "temperature_meters": 1,
        "weighted_by_flow": False,
    }


def test_a_meter_with_its_registers_exactly_as_they_came(village, pages):
    village.read(meter_id("KAM-00000011"), 0, energy="12300E-1 kWh", volume="1E+3 m3")
    assert pages.get(f"{API}/meters/KAM-00000011").json()["registers"] == {
        "energy": {"value": "1230.0", "unit": "kWh"},
        "volume": {"value": "1000", "unit": "m3"},
    }
    silent = pages.get(f"{API}/meters/LUG-70412233").json()
    assert (silent["state"], silent["age_s"], silent["expected"], silent["read"]) == ("silent", 30000, 24, 16)
    assert silent["last_missed"] == {"slot": "2026-10-20T09:00:00Z", "reason": "no answer"}


def test_the_list_of_meters_is_searched_like_the_page(village, pages):
    found = pages.get(f"{API}/meters?q=koulu&state=silent").json()
    assert ([meter["meter"] for meter in found["meters"]], found["matching"]) == (["LUG-70412233"], 1)


def test_a_series_is_columns_of_equal_length_with_null_for_the_unknown(village, pages):
    series = pages.get(f"{API}/meters/KAM-69183621/series?range=24h").json()
    assert (series["from"], series["to"], series["step_s"]) == (
        "2026-10-19T09:20:00Z",
        "2026-10-20T09:20:00Z",
        3600,
    )
    lengths = {
        len(values)
        for values in [series["at"], series["on_slot"], series["state"], *series["columns"].values()]
    }
    assert lengths == {24}
    assert series["units"]["energy_use"] == "kWh"
    assert series["columns"]["energy"][-4:] == ["12337.5", "12340.0", "12342.5", "12345.0"]
    assert series["columns"]["energy_use"][-8:] == [None, None, None, "2.5", "2.5", "2.5", "2.5", None]
    assert series["state"][-8:-4] == ["present", "missing", "missing", "present"]


def test_joules_stay_joules(village, pages):
    series = pages.get(f"{API}/meters/DME-41001234/series?range=24h").json()
    assert (series["units"]["energy_use"], series["columns"]["energy_use"][0]) == ("GJ", "0.009")


def test_gaps_of_one_meter_and_the_meters_that_have_any(village, pages):
    assert pages.get(f"{API}/meters/KAM-69183621/gaps").json()["gaps"] == [
        {"first": "2026-10-20T03:00:00Z", "last": "2026-10-20T03:00:00Z", "slots": 1, "reason": None},
        {
            "first": "2026-10-20T04:00:00Z",
            "last": "2026-10-20T04:00:00Z",
            "slots": 1,
            "reason": "no answer",
        },
    ]
    assert [meter["meter"] for meter in pages.get(f"{API}/gaps").json()] == ["KAM-69183621", "LUG-70412233"]


ANSWERS = [
    "/overview",
    "/meters",
    "/meters/KAM-69183621",
    "/meters/KAM-69183621/series?range=all",
    "/meters/KAM-69183621/gaps?range=all",
    "/gaps",
]


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_has_the_fields_that_the_schema_names(village, pages, path):
    schema = pages.get(f"{API}/openapi.json").json()
    described = API + path.partition("?")[0].replace("KAM-69183621", "{meter}")
    content = schema["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    check(pages.get(API + path).json(), content, schema["components"]["schemas"])


def check(value, schema, named):
    """Types, required and known fields; enough to see that schema and answer agree."""
    if "$ref" in schema:
        return check(value, named[schema["$ref"].rpartition("/")[2]], named)
    if "anyOf" in schema:
        if value is None:
            assert {"type": "null"} in schema["anyOf"]
            return None
        (other,) = [part for part in schema["anyOf"] if part != {"type": "null"}]
        return check(value, other, named)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    assert isinstance(value, kinds[schema["type"]]), (value, schema)
    if "enum" in schema:
        assert value in schema["enum"]
    for part in value if schema["type"] == "array" else []:
        check(part, schema["items"], named)
    if "properties" in schema:
        assert value.keys() == schema["properties"].keys() == set(schema["required"])
        for name, part in value.items():
            check(part, schema["properties"][name], named)
    return None


def test_the_schema_check_can_fail():
    with pytest.raises(AssertionError):
        check({"a": 1}, {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, {})


PROBLEMS = [
    # asked                                    status
    ("/meters/KAM-99999999",                   404),
    ("/meters/KAM-99999999/series",            404),
    ("/meters/KAM-69183621/series?range=2y",   422),
    ("/meters?page=0",                         422),
    ("/meters?state=happy",                    422),
    ("/nothing",                               404),
]  # fmt: skip


@pytest.mark.parametrize(("path", "status"), PROBLEMS)
def test_what_cannot_be_answered_names_problem_and_remedy(village, pages, path, status):
    answer = pages.get(API + path)
    assert answer.status_code == status
    assert answer.json().keys() == {"problem", "remedy"}


def test_nothing_can_be_written(village, pages):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert pages.request(method, f"{API}/meters").status_code == 405
    written = {m for path in pages.get(f"{API}/openapi.json").json()["paths"].values() for m in path}
    assert written == {"get"}
