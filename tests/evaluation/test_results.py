from ct2pet.evaluation.results import CaseResult


def test_regions_are_omitted_of_every_method():
    result = CaseResult({"prediction": {"a": {"mae": 1.0}, "b": {}}, "zeros": {"a": {}, "b": {}}}, {"zeros": []})
    left = result.without(["b", "c"])
    assert left.regions == {"prediction": {"a": {"mae": 1.0}}, "zeros": {"a": {}}}
    assert left.lesions == {"zeros": []}
    assert set(result.regions["zeros"]) == {"a", "b"}
