"""A make-believe market that speaks the outside services' wire formats over real sockets.

market.py is the pure model: what happens to which token, decided by a seed. clock.py maps its time to ours. pumpportal_server.py,
birdeye_server.py and dexscreener_server.py say it in each service's words; a further service is one more such module, started
in exchange.py.
"""
