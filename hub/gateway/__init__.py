"""What every request passes, over HTTP or the socket.

tokens        the key ring, access tokens, demo links
authority     who somebody is and what they are granted, kept fresh by the changes themselves
access        which topic a principal may follow
endpoint      one HTTP route: authenticate, authorise, decode, carry out, answer
moves         one effect per key, told apart from a stale or illegal move
reasons       bodies that say why
answers       rows cut to what the caller may see
errors        refusals as problem documents
"""
