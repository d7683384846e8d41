"""The paper gateway: a stand-in for TWS that speaks its socket protocol, with a simulated clock.

It shares no protocol code with the client side, so that one misreading cannot hide at both ends. The rest of HRP
uses `hrp.gateway.client`, `hrp.gateway.scenario` and `hrp.gateway.telling`, and nothing else of this room.
"""
