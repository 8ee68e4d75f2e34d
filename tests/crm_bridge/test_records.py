import json
from datetime import date

from crm_bridge import records
from crm_bridge.records import Address, ContactRecord, Email, Gender, Identity, Kind, Phone


def test_canonical_values_are_json_ready_and_leave_out_what_is_derived():
    record = ContactRecord(
        identity=Identity("lead", "7"),
        kind=Kind.LEAD,
        name="An",
        gender=Gender.FEMALE,
        birth_date=date(2000, 3, 15),
        phones=(Phone("0934 890 883", "Work", "+84934890883"),),
        emails=(Email("an@example.com", "Home"),),
        addresses=(Address(city="Huế"),),
        tags=("vip",),
        custom_fields={"Shipping unit": ["fast"]},
    )
    values = json.loads(json.dumps(records.canonical(record)))
    assert values["gender"] == "female"
    assert values["birth_date"] == "2000-03-15"
    assert values["phones"] == [{"value": "0934 890 883", "type": "Work"}]
    assert values["addresses"][0]["city"] == "Huế"
    assert values["custom_fields"] == {"Shipping unit": ["fast"]}
    assert set(values) == set(records.EDITABLE_FIELDS)
