"""The pytest plugin: the fixture `ohia_client`."""
