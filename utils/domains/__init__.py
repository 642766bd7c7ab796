"""Tables, texts, road signs and faces, and what a person can change in each. Built in lessons 11 and 11b.

rules     what can be changed in a row of a table, and the nearest row that can exist
tables    a stream of card payments with fraud in it: synthetic
moves     attacks on rows
recipes   the defenses of images, for any kind of data
texts     messages as numbers of words
swaps     attacks on words, and a certificate
signs     road signs in any pose and light: synthetic
stickers  a physical attack on them, and a certificate
faces     verification
"""
