"""Decide: a Project and a request become a Plan. Pure: nothing here touches the world."""
