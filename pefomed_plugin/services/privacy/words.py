"""Words that help to tell whether capitalised words are a person: common given names, and what is never a name.

Given names are common ones of English- and German-speaking countries, those that are also words left out. No list of
names is complete (docs/privacy.md).
"""

from __future__ import annotations

_ENGLISH = """
Aaron Abigail Adam Alan Albert Alexander Alexandra Alice Alison Amanda Amber Amy Andrea Andrew Angela Ann Anna Anne
Anthony Ashley Barbara Benjamin Bernard Betty Beverly Brandon Brenda Brian Bruce Caroline Carolyn Catherine Charles
Charlotte Cheryl Christina Christine Christopher Cynthia Daniel David Deborah Denise Dennis Diana Diane Donald Donna
Dorothy Douglas Edward Elaine Eleanor Elizabeth Emily Emma Eric Ethan Eugene Evelyn Frances George Gerald Gladys Gloria
Gregory Hannah Harold Harry Helen Henry Howard Isabella Jacob Jacqueline James Janet Janice Jason Jeffrey Jennifer
Jeremy Jessica Joan John Jonathan Joseph Joshua Joyce Juan Judith Judy Julia Julie Justin Karen Katherine Kathleen
Keith Kelly Kenneth Kevin Kimberly Kyle Larry Laura Lauren Lawrence Linda Lisa Lori Louis Madison Margaret Maria Marie
Marilyn Martha Martin Mary Matthew Megan Melissa Michael Michelle Mildred Nancy Natalie Nathan Nicholas Nicole Noah
Olivia Oliver Pamela Patricia Patrick Paul Peter Philip Rachel Ralph Raymond Rebecca Richard Robert Roger Ronald Roy
Russell Ruth Ryan Samantha Samuel Sandra Sara Sarah Scott Sean Sharon Shirley Sophia Stephanie Stephen Steven Susan
Teresa Theresa Thomas Timothy Tyler Vincent Virginia Walter Wayne William Zachary
Ahmed Ali Amir Carlos Chen Fatima Ibrahim Jose Jorge Khalid Luis Mehmet Miguel Mohammed Muhammad Mustafa Omar Pedro
Priya Raj Ravi Sanjay Yusuf
"""
_GERMAN = """
Achim Alois Andreas Angelika Anja Anke Annegret Anneliese Annette Antje Antonia Armin Astrid Axel Barbel Bärbel Beate
Benedikt Bernd Bernhard Bettina Birgit Björn Brigitte Carla Carsten Christa Christel Christian Christiane Claudia Clara
Cornelia Dagmar Daniela Detlef Dieter Dietmar Dirk Doris Eberhard Elfriede Elisabeth Elke Elsa Erich Erika Erna Erwin
Eva Felix Florian Franz Franziska Friedrich Fritz Gabriele Gerda Gerhard Gertrud Gisela Gudrun Günter Günther Guenther
Hannelore Hans Harald Hedwig Heike Heiko Heinrich Heinz Helga Helmut Herbert Hermann Hildegard Holger Horst Hubert Ilse
Ines Inge Ingeborg Ingrid Irene Irmgard Jan Jana Jens Jochen Johann Johanna Johannes Jörg Joerg Josef Jürgen Juergen
Jutta Karin Karl Katharina Katja Katrin Kerstin Klara Klaus Konrad Kristina Kurt Lars Leonie Lieselotte Lothar Ludwig
Luise Lukas Manfred Manuela Marco Margarete Margot Marianne Marion Markus Marlene Marta Matthias Melanie Michaela
Monika Moritz Nadine Niklas Norbert Olaf Otto Petra Rainer Ralf Reiner Reinhard Renate Rita Rolf Rosemarie Rudolf
Sabine Sabrina Sebastian Siegfried Sigrid Silke Silvia Simone Sonja Stefan Stefanie Susanne Svenja Sven Tanja Thorsten
Tobias Torsten Udo Ulrich Ulrike Ursula Ute Uwe Vera Volker Waltraud Werner Wilhelm Wolfgang Yvonne
Aylin Ayşe Emre Fatma Hüseyin Katarzyna Krzysztof Piotr Svetlana Tatjana Zeynep
"""
GIVEN_NAMES = frozenset((_ENGLISH + _GERMAN).split())

_NEVER = """
Patient Patientin Patienten Male Female None Unknown Unbekannt Yes No Ja Nein Not Normal The This These In On At Of
And Der Die Das Den Dem Ein Eine Kollege Kollegin Kollegen Kolleginnen Doktor Doctor Professor Chest Thorax Lung Heart
Left Right Both No. Findings Impression Befund Beurteilung Indication Technique Comparison History Klinik Zustand
Weiblich Männlich Viewport Sehr Technologist Dr Prof Pd Herr Herrn Frau Mr Mrs Ms Miss Hr Fr Med Nurse Schwester
Pfleger Oa Oberarzt Oberärztin Chefarzt Radiology Emergency Department Station Hospital Team Staff Is Was Has Are Will
Be To For With There Stable Unchanged Intubated Sedated Inpatient Outpatient Adult Child Position Supine Prone Age Sex
Ap Pa Ct Mr Mri Xr Us
"""
NO_NAMES = frozenset(_NEVER.split())
"""Words that stand where a name could, after a title or a label."""
_BEHIND = """
Arbor Syndrome Disease Sign Line Lines Catheter Tube Scan View Node Nodes Hilf Klinik Krankenhaus Hospital Stent Score
Test
"""
NO_FAMILY_NAMES = NO_NAMES | frozenset(_BEHIND.split())
"""Words behind a given name that make it no person: Maria Hilf."""
_FILES = """
chest thorax abdomen head brain knee spine image images img series study scan report reports ct mr mri xr us pa ap lat
lateral frontal test train val data page copy final draft file export vit
"""
NOT_IN_FILE_NAMES = frozenset(_FILES.split())
"""Words in names of files that are no family name."""
