"""What every request passes, over HTTP or the socket.

headers       who may knock at all, and what every answer carries
access_log    the request's identity and its line in the log
rate_limit    how often somebody may ask
tokens        the key ring, access tokens, demo links
key_file      the rings on disk, their rotation, and how running processes follow it
hashing       slow hashes of passwords, in few threads
authority     who somebody is and what they are granted, kept fresh by the changes themselves
access        which topic a principal may follow; scopes: which there are
endpoint      one HTTP route: authenticate, authorise, decode, carry out, answer
decoding      what a request says, read strictly; shapes: what answers look like, for the published document
deprecation   a route that goes away, and how its answers say so
moves         one effect per key, told apart from a stale or illegal move
creating      a keyed POST that makes something
reasons       bodies that say why; points, phones, paging: further shapes that nouns share
answers       rows cut to what the caller may see
errors        refusals as problem documents
watch         security events on their way to the record; alarms: when they are too many
wire          one Redis connection at raw-protocol cost
house, nudge  what every handler may use; the hint to the sequencer after a commit
"""
