"""The screens: NiceGUI gives the shell, the hub's socket gives the life.

app         starts the server: pages, session routes, static files, guards
session     the cookie that holds the refresh token, and its exchange for access tokens
guard       who may talk to this server: hosts, origins, and the headers of every answer
theme       the one table of words, signs and colours of every state
pages/      a page arranges
elements/   an element shows one live thing: one .py and one .js
static/     live.js knows, commands.js asks; the customer's page, plain HTML that the hub serves
"""
