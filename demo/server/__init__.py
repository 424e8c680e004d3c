"""The server.

``hosting`` sends headers, limits requests and answers errors, with the counts of ``rates``; ``sessions`` keeps visitors
and deletes their files; ``uploads`` replaces Gradio's handling of uploads; ``preload`` loads models in the background.
"""
