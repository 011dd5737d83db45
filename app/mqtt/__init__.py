"""How do Home Assistant and others learn by MQTT what the cameras do?

Only the server imports this room, and only if `NVR_MQTT_URL` names a broker.
"""
