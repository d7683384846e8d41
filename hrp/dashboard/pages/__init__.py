"""One script a page; streamlit runs it, and its function `page` draws."""
