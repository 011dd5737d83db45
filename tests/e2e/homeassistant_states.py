"""Runs Home Assistant with a configuration, and prints its entities and images as JSON.

A program for a Python that has the package homeassistant: its arguments are the folder of the
configuration, the port of an MQTT broker or 0, and the ids of the entities to wait for.
"""

import asyncio
import base64
import json
import sys
from types import MappingProxyType

from homeassistant import auth, bootstrap, config, core, loader, setup
from homeassistant.components.mqtt import device_trigger
from homeassistant.config_entries import ConfigEntries, ConfigEntry
from homeassistant.helpers import device_registry

SECONDS = 120


async def main(folder: str, broker: str, *awaited: str) -> None:
    """Set up everything in the configuration, wait for the entities, and print all."""
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    hass.config_entries = ConfigEntries(hass, {})
    loader.async_setup(hass)
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    found = await config.async_hass_config_yaml(hass)
    for domain in found:
        assert domain == "homeassistant" or await setup.async_setup_component(hass, domain, found)
    if int(broker):
        await hass.config_entries.async_add(mqtt_entry(int(broker)))
    await hass.async_start()
    async with asyncio.timeout(SECONDS):
        while any(is_missing(hass.states.get(entity)) for entity in awaited):
            await asyncio.sleep(0.1)
    states = {state.entity_id: state.as_dict() for state in hass.states.async_all()}
    images = {
        entity.entity_id: base64.b64encode(await entity.async_image()).decode()
        for entity in hass.data["image"].entities
    }
    triggers = [
        trigger["subtype"]
        for device in device_registry.async_get(hass).devices.values()
        if int(broker)
        for trigger in await device_trigger.async_get_triggers(hass, device.id)
    ]
    found = {"states": states, "images": images, "triggers": triggers}
    print(json.dumps(found, default=str))
    await hass.async_stop(force=True)


def mqtt_entry(port: int) -> ConfigEntry:
    """What a person enters to connect Home Assistant to a broker on this machine."""
    return ConfigEntry(
        domain="mqtt",
        title="mqtt",
        data={"broker": "127.0.0.1", "port": port, "protocol": "5"},
        options={},
        version=1,
        minor_version=2,
        source="user",
        unique_id=None,
        discovery_keys=MappingProxyType({}),
        subentries_data=None,
    )


def is_missing(state: core.State | None) -> bool:
    return state is None or state.state == "unavailable"


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
