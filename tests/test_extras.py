from ohia.extras import missing


def test_what_is_missing_names_its_user_its_library_and_the_extra() -> None:
    error = missing("compress()", "brotli", "compress")
    assert error.name == "brotli"
    assert str(error) == 'compress() needs brotli: pip install "ohia[compress]"'
